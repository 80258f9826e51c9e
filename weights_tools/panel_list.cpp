#include "panel_list.hpp"

#include <algorithm>
#include <kinglet/kernels/gemm_s8.hpp>

#include "file_error.hpp"

namespace kinglet::tools {

PanelList read_panel_list(const ModelFile& file, const std::string& path) {
  PanelList list;
  if (!file.has("kinglet.panels.tensor")) return list;
  const auto array = [&](const char* name) {
    const std::string key = std::string("kinglet.panels.") + name;
    const Result<GgufArray> values = file.array(key);
    if (!values) throw FileError(path, key, values.status().what());
    return *values;
  };
  const auto fail = [&](const char* what) { throw FileError(path, "kinglet.panels", what); };
  const GgufArray names = array("tensor"), parts = array("parts"), n = array("n"), k = array("k");
  if (names.type() != GgufType::string || parts.count() != names.count() ||
      n.count() != names.count() || k.count() != names.count())
    fail("its arrays do not belong together");
  if (names.count() > file.tensor_count()) fail("names more tensors than there are");
  std::uint64_t i = 0;
  const auto number = [&](const GgufArray& values) {
    const Result<std::uint64_t> value = values.number(i);
    if (!value || *value > kMostRows) fail("holds a number out of range");
    return *value;
  };
  for (const std::string_view name : names.strings()) {
    if (!list.emplace(name, Panels{number(parts), number(n), number(k)}).second)
      fail("names a tensor twice");
    ++i;
  }
  return list;
}

std::uint64_t panel_part_items(const Panels& panels, DType dtype, std::uint64_t items,
                               const std::string& path, const std::string& tensor) {
  constexpr auto kRows = static_cast<std::uint64_t>(kernels::kPanel);
  const std::uint64_t blocks = (panels.n + kRows - 1) / kRows;
  const std::uint64_t depth =
      dtype == DType::s8 && panels.k > 0
          ? static_cast<std::uint64_t>(kernels::padded_depth(static_cast<int>(panels.k)))
          : std::max<std::uint64_t>(panels.k, 1);
  const std::uint64_t block_items = kRows * depth;
  if (panels.n == 0 || panels.parts == 0 || items % block_items != 0 ||
      items / block_items % panels.parts != 0 || items / block_items / panels.parts != blocks)
    throw FileError(path, "tensor " + in_quotes(tensor),
                    "does not hold " + std::to_string(panels.parts) + " times " +
                        std::to_string(panels.n) + " x " + std::to_string(panels.k) + " in panels");
  return blocks * block_items;
}

}  // namespace kinglet::tools
