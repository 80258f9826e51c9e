#include <stdexcept>

#include "exercise.hpp"
#include "gguf_checkpoint.hpp"
#include "model_edit.hpp"
#include "readers.hpp"

namespace {

/// Takes every weight out, puts it back in, as int8 where it can be, and writes the file anew.
void edit_all(kinglet::Bytes bytes) {
  using namespace kinglet;
  tools::ModelEdit edit(bytes, "fuzz");
  const std::vector<tools::ModelEdit::Tensor> tensors = edit.tensors();
  for (const tools::ModelEdit::Tensor& tensor : tensors) {
    try {
      if (tensor.is_matrix())
        edit.put_matrix_s8(tensor.name, tools::quantize_rows(edit.matrix(tensor.name)));
      if (tensor.is_table()) edit.put_table(tensor.name, edit.table(tensor.name));
    } catch (const std::domain_error&) {
    } catch (const tools::FileError&) {
    }
  }
  edit.add_step("fuzz");
  tools::MemorySink out("fuzz");
  edit.write(out);
  tools::ModelEdit again(out.bytes(), "fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace kinglet;
  return fuzz::expect_answer([&] {
    const Bytes bytes(data, size);
    tools::Checkpoint checkpoint = tools::read_gguf(bytes, "fuzz");
    checkpoint.container = "gguf";
    fuzz::read_all(checkpoint);
    tools::unpack_panels(bytes, checkpoint);
    fuzz::read_all(checkpoint);
    edit_all(bytes);
  });
}
