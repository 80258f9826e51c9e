#include "model_session.hpp"

#include <cstring>
#include <dispatch/dispatch.hpp>
#include <new>
#include <stdexcept>

#include "bert_session.hpp"
#include "file_error.hpp"
#include "hitut_session.hpp"
#include "pabee_session.hpp"
#include "resnet_session.hpp"
#include "seq2seq_session.hpp"
#include "speaker_session.hpp"

namespace kinglet::tools {
namespace {

std::string usable_isas() {
  std::string names;
  for (int i = 0; i < kernels::count(); ++i) names += std::string(" ") + kernels::at(i).isa;
  return names;
}

template <class Session>
std::unique_ptr<ModelSession> make(const ModelBytes& source, const std::string& isa, int threads) {
  return std::make_unique<Session>(source, isa, threads);
}

struct Architecture {
  const char* name;  ///< general.architecture
  std::unique_ptr<ModelSession> (*open)(const ModelBytes&, const std::string& isa, int threads);
};
constexpr Architecture kArchitectures[] = {{"hitut", make<HitutSession>},
                                           {"bert", make<BertSession>},
                                           {"pabee", make<PabeeSession>},
                                           {"alfred-seq2seq", make<Seq2SeqSession>},
                                           {"speaker-encoder", make<SpeakerSession>},
                                           {"resnet", make<ResnetSession>}};

std::unique_ptr<ModelSession> open_source(const ModelBytes& source, const std::string& isa,
                                          int threads) {
  const Result<ModelFile> file = ModelFile::open(source.bytes);
  if (!file) throw FileError(source.name, file.status());
  const Result<std::string_view> name = file->string("general.architecture");
  if (!name) throw FileError(source.name, name.status());
  for (const Architecture& known : kArchitectures) {
    if (*name == known.name) return known.open(source, isa, threads);
  }
  throw FileError(source.name, "general.architecture", in_quotes(*name) + " is unknown");
}

}  // namespace

std::string version_text(const std::string& program) {
  return program + " " KINGLET_VERSION "\ninstruction sets usable here:" + usable_isas();
}

const kernels::Kernels<isa::runtime>& kernels_named(const std::string& isa) {
  if (isa.empty()) return kernels::best();
  if (const auto* found = kernels::find(isa.c_str())) return *found;
  throw std::runtime_error("--isa " + isa + ": not usable here; usable:" + usable_isas());
}

std::unique_ptr<ModelSession> open_model(const std::string& path, const std::string& isa,
                                         int threads) {
  return open_source(ModelBytes(path), isa, threads);
}

std::unique_ptr<ModelSession> open_model(Bytes bytes, const std::string& name,
                                         const std::string& isa, int threads) {
  return open_source(ModelBytes(bytes, name), isa, threads);
}

ModelEdit edit_model(const std::string& path) {
  open_model(path);
  return ModelEdit(path);
}

ModelSession::ModelSession(const ModelBytes& source, const std::string& isa, int threads)
    : source_(source), kernels_(&kernels_named(isa)), threads_(threads), pool_(threads) {
  const Result<ModelFile> file = ModelFile::open(source_.bytes);
  need(file.status());
  file_ = *file;
  if (source_.mapped == nullptr) return;
  // Of tables, which have two dimensions and lie in front, only some rows are read.
  const unsigned char *begin = nullptr, *end = nullptr;
  file_.for_each_tensor([&](const TensorInfo& tensor) {
    if (tensor.rank < 3) return;
    if (begin == nullptr) begin = tensor.data;
    end = tensor.data + tensor.nbytes;
  });
  if (begin != nullptr) {
    source_.mapped->prefer_huge_pages(Bytes(begin, static_cast<std::size_t>(end - begin)));
  }
}

void ModelSession::need(const Status& status) const {
  if (!status.ok()) throw FileError(path(), status);
}

void ModelSession::reserve(std::size_t bytes) {
  if (bytes <= scratch_size_) return;
  const std::size_t size = (bytes + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
  scratch_.reset(std::aligned_alloc(Arena::kAlignment, size));
  if (!scratch_) throw std::bad_alloc();
  std::memset(scratch_.get(), 0,
              size);  // mapped now, not by the first run that a thread takes part in
  scratch_size_ = size;
}

}  // namespace kinglet::tools
