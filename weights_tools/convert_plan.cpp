#include "convert_plan.hpp"

#include <algorithm>
#include <kinglet/kernels/gemm_f32.hpp>

namespace kinglet::tools {

void TensorPlan::vector(const std::string& name, int n, FillRows fill) {
  entries_.push_back({name, Form::vector, 1, n, 1, std::move(fill)});
}
void TensorPlan::table(const std::string& name, int rows, int cols, FillRows fill) {
  entries_.push_back({name, Form::table, 1, rows, cols, std::move(fill)});
}
void TensorPlan::matrix(const std::string& name, int parts, int n, int k, FillRows fill) {
  entries_.push_back({name, Form::matrix, parts, n, k, std::move(fill)});
}
void TensorPlan::bias(const std::string& name, int parts, int n, FillRows fill) {
  entries_.push_back({name, Form::bias, parts, n, 1, std::move(fill)});
}

void TensorPlan::add_panel_values(GgufWriter& file) const {
  std::vector<std::string> names;
  std::vector<std::uint32_t> parts, n, k;
  for (const Entry& entry : entries_) {
    if (entry.form != Form::matrix && entry.form != Form::bias) continue;
    names.push_back(entry.name);
    parts.push_back(static_cast<std::uint32_t>(entry.parts));
    n.push_back(static_cast<std::uint32_t>(entry.n));
    k.push_back(entry.form == Form::bias ? 0 : static_cast<std::uint32_t>(entry.k));
  }
  file.add_strings("kinglet.panels.tensor", names);
  file.add_u32s("kinglet.panels.parts", parts);
  file.add_u32s("kinglet.panels.n", n);
  file.add_u32s("kinglet.panels.k", k);
}

void TensorPlan::write(
    GgufWriter& file,
    const std::function<void(std::size_t done, std::size_t all)>& progress) const {
  for (const Entry& entry : entries_) {
    const auto n = static_cast<std::uint64_t>(entry.n);
    const auto k = static_cast<std::uint64_t>(entry.k);
    const auto panels = static_cast<std::uint64_t>(entry.parts) *
                        static_cast<std::uint64_t>(kernels::panels_of(entry.n));
    switch (entry.form) {
      case Form::vector: file.add_tensor(entry.name, kGgufF32, {n}); break;
      case Form::table: file.add_tensor(entry.name, kGgufF32, {n, k}); break;
      case Form::matrix: file.add_tensor(entry.name, kGgufF32, {panels, k, kernels::kPanel}); break;
      case Form::bias: file.add_tensor(entry.name, kGgufF32, {panels, kernels::kPanel}); break;
    }
  }
  file.begin_data();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    write_entry(file, entries_[i]);
    if (progress) progress(i + 1, entries_.size());
  }
  file.finish();
}

void TensorPlan::write_entry(GgufWriter& file, const Entry& entry) {
  const auto k = static_cast<std::size_t>(entry.k);
  const bool packed = entry.form == Form::matrix || entry.form == Form::bias;
  // Streamed in pieces of about a megabyte, of whole panels.
  const int megabyte = (1 << 18) / entry.k / kernels::kPanel * kernels::kPanel;
  const int piece = std::min(entry.n, std::max(megabyte, int{kernels::kPanel}));
  std::vector<float> dense(static_cast<std::size_t>(piece) * k);
  std::vector<float> panels(packed ? kernels::panels_size_f32(piece, entry.k) : 0);
  for (int part = 0; part < entry.parts; ++part) {
    for (int first = 0; first < entry.n; first += piece) {
      const int count = std::min(piece, entry.n - first);
      entry.fill(std::int64_t{part} * entry.n + first, count, dense.data());
      if (packed) {
        kernels::pack_panels_f32(count, entry.k, dense.data(), entry.k, panels.data());
        file.write(panels.data(), kernels::panels_size_f32(count, entry.k) * sizeof(float));
      } else {
        file.write(dense.data(), static_cast<std::size_t>(count) * k * sizeof(float));
      }
    }
  }
}

}  // namespace kinglet::tools
