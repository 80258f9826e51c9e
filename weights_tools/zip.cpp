#include "zip.hpp"

#include <algorithm>
#include <cstring>

namespace kinglet::tools {
namespace {

// "P", "K" and two more bytes, read as a little-endian number
constexpr std::uint32_t kLocal = 0x04034b50, kDescriptor = 0x08074b50, kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint64_t kLocalSize = 30, kCentralSize = 46;
constexpr std::uint64_t kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr std::uint64_t kMax16 = 0xFFFF, kMax32 = 0xFFFFFFFF;  // "see the zip64 field"
constexpr std::uint64_t kExtra64 = 1;  // the id of the extra field with 64-bit sizes
constexpr unsigned kEncrypted = 1u << 0 | 1u << 6 | 1u << 13;
constexpr unsigned kHasDescriptor = 1u << 3;

/// Why a name may not be used as a path, or null.
const char* fault_of(std::string_view name) noexcept {
  if (name.empty()) return "is empty";
  if (name.find('\0') != std::string_view::npos) return "holds a NUL";
  if (name[0] == '/' || name[0] == '\\') return "is absolute";
  if (name.size() >= 2 && name[1] == ':' && ((name[0] | 32) >= 'a' && (name[0] | 32) <= 'z'))
    return "has a drive letter";
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find_first_of("/\\", begin), name.size());
    if (name.substr(begin, end - begin) == "..") return "climbs out with '..'";
    begin = end + 1;
  }
  return nullptr;
}

}  // namespace

struct ZipArchive::Sizes {
  unsigned flags = 0, method = 0;
  std::uint64_t packed = 0, size = 0;
};

ZipArchive::ZipArchive(Bytes bytes, const std::string& file, Budget& budget)
    : bytes_(bytes), file_(file) {
  read_directory(read_end_record(find_end_record()), budget);
  check_overlaps();
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const Entry& entry, std::string_view wanted) { return entry.name < wanted; });
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

std::uint64_t ZipArchive::number(std::uint64_t at, unsigned width) const noexcept {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < width; ++i)
    value |= std::uint64_t{bytes_[static_cast<std::size_t>(at + i)]} << (8 * i);
  return value;
}

std::string_view ZipArchive::text(std::uint64_t at, std::uint64_t size) const noexcept {
  return {reinterpret_cast<const char*>(bytes_.data()) + at, static_cast<std::size_t>(size)};
}

void ZipArchive::fail(const std::string& where, const std::string& what) const {
  throw FileError(file_, where, what);
}

/// The end record is the one whose comment reaches exactly to the end of the file. Where a second
/// one could be meant, two programs would read two different archives: refused.
std::uint64_t ZipArchive::find_end_record() const {
  const std::uint64_t size = bytes_.size();
  std::uint64_t found = size;
  for (std::uint64_t comment = 0; comment <= kMax16 && comment + kEndSize <= size; ++comment) {
    const std::uint64_t at = size - kEndSize - comment;
    if (number(at, 4) != kEnd || number(at + 20, 2) != comment) continue;
    if (found != size) fail("zip end record", "there are two of them");
    found = at;
  }
  if (found == size) fail("zip", "no end record: the archive is cut or something follows it");
  for (std::uint64_t at = found + kEndSize; at + 4 <= size; ++at)
    if (number(at, 4) == kEnd) fail("zip end record", "a second one hides in its comment");
  return found;
}

ZipArchive::Directory ZipArchive::read_end_record(std::uint64_t end) const {
  const std::uint64_t disk = number(end + 4, 2), first_disk = number(end + 6, 2);
  const std::uint64_t count_here = number(end + 8, 2);
  Directory directory;
  directory.count = number(end + 10, 2);
  directory.size = number(end + 12, 4);
  directory.offset = number(end + 16, 4);
  const bool wants_64 = directory.count == kMax16 || directory.size == kMax32 ||
                        directory.offset == kMax32 || count_here == kMax16;
  const bool has_64 = end >= kLocator64Size && number(end - kLocator64Size, 4) == kLocator64;
  const bool ends_here = directory.offset + directory.size == end;
  if (wants_64 && !has_64) fail("zip end record", "refers to a zip64 record that is not there");
  std::uint64_t directory_end = end;
  if (has_64 && (wants_64 || !ends_here)) {
    const std::uint64_t locator = end - kLocator64Size;
    read_end_record_64(locator, directory);
    directory_end = number(locator + 8, 8);
    if ((disk != 0 && disk != kMax16) || (first_disk != 0 && first_disk != kMax16))
      fail("zip end record", "multi-disk archives are not supported");
    if (count_here != kMax16 && count_here != directory.count)
      fail("zip end record", "entry counts differ");
  } else {
    if (disk != 0 || first_disk != 0)
      fail("zip end record", "multi-disk archives are not supported");
    if (count_here != directory.count) fail("zip end record", "entry counts differ");
  }
  if (directory.offset > directory_end || directory_end - directory.offset != directory.size)
    fail("zip end record", "the directory is not where it says: offset " +
                               std::to_string(directory.offset) + ", " +
                               std::to_string(directory.size) + " bytes, should end at " +
                               std::to_string(directory_end));
  return directory;
}

void ZipArchive::read_end_record_64(std::uint64_t locator, Directory& directory) const {
  const char* const where = "zip64 end record";
  if (number(locator + 4, 4) != 0 || number(locator + 16, 4) > 1)
    fail("zip64 locator", "multi-disk archives are not supported");
  const std::uint64_t at = number(locator + 8, 8);
  if (at > locator || locator - at < kEnd64Size || number(at, 4) != kEnd64)
    fail("zip64 locator", "points to no zip64 end record");
  if (number(at + 4, 8) != locator - at - 12) fail(where, "has another length than it says");
  if (number(at + 16, 4) != 0 || number(at + 20, 4) != 0)
    fail(where, "multi-disk archives are not supported");
  const std::uint64_t count = number(at + 32, 8), size = number(at + 40, 8);
  const std::uint64_t offset = number(at + 48, 8);
  if (number(at + 24, 8) != count) fail(where, "entry counts differ");
  const auto agrees = [](std::uint64_t small, std::uint64_t limit, std::uint64_t large) {
    return small == limit || small == large;
  };
  if (!agrees(directory.count, kMax16, count) || !agrees(directory.size, kMax32, size) ||
      !agrees(directory.offset, kMax32, offset))
    fail(where, "differs from the end record");
  directory = {offset, size, count};
}

void ZipArchive::read_directory(const Directory& directory, Budget& budget) {
  const std::uint64_t end = directory.offset + directory.size;
  if (directory.count > directory.size / kCentralSize)
    fail("zip directory", "cannot hold the " + std::to_string(directory.count) + " entries");
  budget.charge(directory.count * sizeof(Entry));
  entries_.reserve(static_cast<std::size_t>(directory.count));
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    const std::string where = "zip directory entry " + std::to_string(i);
    if (end - at < kCentralSize || number(at, 4) != kCentral)
      fail(where, "is not there, " + std::to_string(directory.count) + " are announced");
    Sizes sizes;
    sizes.flags = static_cast<unsigned>(number(at + 8, 2));
    sizes.method = static_cast<unsigned>(number(at + 10, 2));
    sizes.packed = number(at + 20, 4);
    sizes.size = number(at + 24, 4);
    const std::uint64_t name_size = number(at + 28, 2), extra_size = number(at + 30, 2);
    const std::uint64_t comment_size = number(at + 32, 2);
    std::uint64_t disk = number(at + 34, 2);
    Entry entry;
    entry.offset = number(at + 42, 4);
    at += kCentralSize;
    if (end - at < name_size + extra_size + comment_size) fail(where, "reaches past the directory");
    entry.name = text(at, name_size);
    const std::string here = "zip entry " + in_quotes(entry.name);
    if (const char* fault = fault_of(entry.name)) fail(here, std::string("its name ") + fault);
    read_extra_64(at + name_size, extra_size, here,
                  {{&sizes.size, kMax32, 8},
                   {&sizes.packed, kMax32, 8},
                   {&entry.offset, kMax32, 8},
                   {&disk, kMax16, 4}});
    at += name_size + extra_size + comment_size;
    if (disk != 0) fail(here, "multi-disk archives are not supported");
    read_local(entry, sizes, directory.offset);
    entries_.push_back(entry);
  }
  if (at != end) fail("zip directory", "holds more than the entries that are announced");
}

/// Fills in the fields that were too large for their place, in the order of `fields`.
void ZipArchive::read_extra_64(std::uint64_t at, std::uint64_t size, const std::string& where,
                               std::initializer_list<Wide> fields) const {
  constexpr int kMost = 100;  // many entries may share a local header until that is refused
  bool found = false;
  int fields_here = 0;
  for (const std::uint64_t end = at + size; end - at >= 4;) {
    if (++fields_here > kMost) fail(where, "has more than 100 extra fields");
    const std::uint64_t id = number(at, 2), length = number(at + 2, 2);
    at += 4;
    if (length > end - at) fail(where, "an extra field reaches past the others");
    if (id == kExtra64) {
      if (found) fail(where, "has two zip64 fields");
      found = true;
      std::uint64_t from = at;
      for (const Wide& field : fields) {
        if (*field.value != field.limit) continue;
        if (at + length - from < field.width) fail(where, "its zip64 field is too short");
        *field.value = number(from, field.width);
        from += field.width;
      }
    }
    at += length;
  }
  if (found) return;
  for (const Wide& field : fields)
    if (*field.value == field.limit && field.width == 8)
      fail(where, "lacks the zip64 field that it refers to");
}

/// Finds the data and checks that the local header says what the directory says.
void ZipArchive::read_local(Entry& entry, const Sizes& central, std::uint64_t limit) const {
  const std::string where = "zip entry " + in_quotes(entry.name);
  if ((central.flags & kEncrypted) != 0) fail(where, "is encrypted");
  if (central.method != 0)
    fail(where, "is compressed (method " + std::to_string(central.method) +
                    "); PyTorch stores its records as they are");
  if (central.packed != central.size) fail(where, "is stored, but its two sizes differ");
  if (entry.offset > limit || limit - entry.offset < kLocalSize ||
      number(entry.offset, 4) != kLocal)
    fail(where, "no local header at offset " + std::to_string(entry.offset));

  Sizes local;
  local.flags = static_cast<unsigned>(number(entry.offset + 6, 2));
  local.method = static_cast<unsigned>(number(entry.offset + 8, 2));
  local.packed = number(entry.offset + 18, 4);
  local.size = number(entry.offset + 22, 4);
  const std::uint64_t name_size = number(entry.offset + 26, 2);
  const std::uint64_t extra_size = number(entry.offset + 28, 2);
  std::uint64_t at = entry.offset + kLocalSize;
  if (limit - at < name_size + extra_size)
    fail(where, "its local header reaches into the directory");
  if (text(at, name_size) != entry.name) fail(where, "its local header has another name");
  if (local.method != central.method) fail(where, "its local header has another method");
  if (((local.flags ^ central.flags) & kEncrypted) != 0)
    fail(where, "its local header has another encryption flag");
  read_extra_64(at + name_size, extra_size, where,
                {{&local.size, kMax32, 8}, {&local.packed, kMax32, 8}});
  at += name_size + extra_size;
  if (limit - at < central.size)
    fail(where, "its " + std::to_string(central.size) + " bytes reach past the entries");
  entry.data = bytes_.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(central.size));
  entry.end = at + central.size;

  const bool agrees = local.size == central.size && local.packed == central.packed;
  const bool is_empty = local.size == 0 && local.packed == 0;
  std::uint64_t descriptor = 0;
  if ((local.flags & kHasDescriptor) != 0)
    descriptor = descriptor_length(entry.end, central.size, limit);
  if (!agrees && !(is_empty && descriptor > 0))
    fail(where, "its local header has other sizes than the directory");
  entry.end += descriptor;
}

/// Of the data descriptor at `at`: with or without signature, sizes of 4 or 8 bytes; 0 if none
/// there announces `size`.
std::uint64_t ZipArchive::descriptor_length(std::uint64_t at, std::uint64_t size,
                                            std::uint64_t limit) const {
  for (const std::uint64_t signature : {4u, 0u}) {
    for (const unsigned width : {4u, 8u}) {
      const std::uint64_t length = signature + 4 + 2 * width;
      if (limit - at < length) continue;
      if (signature > 0 && number(at, 4) != kDescriptor) continue;
      const std::uint64_t sizes = at + signature + 4;
      if (number(sizes, width) == size && number(sizes + width, width) == size) return length;
    }
  }
  return 0;
}

/// Unique names, and no byte that belongs to two entries.
void ZipArchive::check_overlaps() {
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.offset < b.offset; });
  for (std::size_t i = 1; i < entries_.size(); ++i)
    if (entries_[i].offset < entries_[i - 1].end)
      fail("zip entry " + in_quotes(entries_[i].name),
           "shares bytes with entry " + in_quotes(entries_[i - 1].name));
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  for (std::size_t i = 1; i < entries_.size(); ++i)
    if (entries_[i].name == entries_[i - 1].name)
      fail("zip entry " + in_quotes(entries_[i].name), "is there twice");
}

}  // namespace kinglet::tools
