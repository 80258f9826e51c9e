#include "session.hpp"

#include <dispatch/dispatch.hpp>
#include <new>
#include <stdexcept>

#include "file_error.hpp"

namespace kinglet::tools {

namespace {

std::string usable_isas() {
  std::string names;
  for (int i = 0; i < kernels::count(); ++i) names += std::string(" ") + kernels::at(i).isa;
  return names;
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

HitutSession::HitutSession(const std::string& path, const std::string& isa, int threads)
    : mapped_(MappedFile::open(path)),
      weights_(std::make_unique<hitut::Weights>()),
      kernels_(&kernels_named(isa)),
      threads_(threads),
      pool_(threads) {
  const auto need = [&](const Status& status) {
    if (!status.ok()) throw FileError(path, status);
  };
  const Result<ModelFile> file = ModelFile::open(mapped_->bytes());
  need(file.status());
  file_ = *file;
  const Result<hitut::Config> config = hitut::read_config(file_);
  need(config.status());
  config_ = *config;
  need(hitut::bind(file_, config_, *weights_));
  // Of tables, which have two dimensions and lie in front, only some rows are read.
  const unsigned char *begin = nullptr, *end = nullptr;
  file_.for_each_tensor([&](const TensorInfo& tensor) {
    if (tensor.rank < 3) return;
    if (begin == nullptr) begin = tensor.data;
    end = tensor.data + tensor.nbytes;
  });
  if (begin != nullptr) {
    mapped_->prefer_huge_pages(Bytes(begin, static_cast<std::size_t>(end - begin)));
  }
}

Plan HitutSession::plan(hitut::Task task, int batch, int live, bool every_row) const {
  Count count(threads_);
  hitut::Input in;
  in.task = task;
  in.batch = batch;
  in.live = live;
  const hitut::Trace everything{};
  hitut::forward(count, config_, *weights_, in, {}, every_row ? &everything : nullptr);
  return {count.scratch_bytes(), count.flops(), count.bytes_moved()};
}

void HitutSession::reserve(std::size_t bytes) {
  if (bytes <= scratch_size_) return;
  const std::size_t size = (bytes + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
  scratch_.reset(std::aligned_alloc(Arena::kAlignment, size));
  if (!scratch_) throw std::bad_alloc();
  scratch_size_ = size;
}

void HitutSession::forward(const hitut::Input& in, const hitut::Output& out,
                           const hitut::Trace* trace) {
  const Status status = hitut::check(config_, in);
  if (!status.ok()) throw FileError(path(), status);
  run(plan(in.task, in.batch, 0, trace != nullptr).scratch_bytes,
      [&](auto& backend) { hitut::forward(backend, config_, *weights_, in, out, trace); });
}

}  // namespace kinglet::tools
