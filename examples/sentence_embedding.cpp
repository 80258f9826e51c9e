// Sentences as vectors: how near is each to the others?
//
//   sentence_embedding MODEL.gguf SENTENCE SENTENCE…
//
// The model: a BERT converted with its word pieces, such as MiniLM-L6:
//   kinglet-weights convert model.safetensors --config config.json --vocab vocab.txt -o MODEL.gguf

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <kinglet/kinglet.hpp>

#include "map_file.hpp"

namespace {

using namespace kinglet;

int fail(const char* what, const Status& status) {
  std::fprintf(stderr, "sentence_embedding: %s: %s %.*s\n", what, status.what(),
               static_cast<int>(status.subject().size()), status.subject().data());
  return 1;
}

constexpr int kMostSentences = 64;
constexpr int kMostWords = 256;  ///< of a sentence; more are cut off

}  // namespace

int main(int argc, char** argv) {
  const int sentences = argc - 2;
  if (sentences < 2 || sentences > kMostSentences) {
    std::fprintf(stderr, "usage: sentence_embedding MODEL.gguf SENTENCE SENTENCE…\n");
    return 2;
  }
  const Result<ModelFile> file = ModelFile::open(map_file(argv[1]));
  if (!file.ok()) return fail(argv[1], file.status());
  const Result<bert::Config> config = bert::read_config(*file);
  if (!config.ok()) return fail(argv[1], config.status());
  static bert::Weights weights;
  const Status bound = bert::bind(*file, *config, weights);
  if (!bound.ok()) return fail(argv[1], bound);
  const Result<std::uint64_t> cls = file->u64("tokenizer.ggml.cls_token_id");
  const Result<std::uint64_t> sep = file->u64("tokenizer.ggml.seperator_token_id");
  if (!cls.ok()) return fail(argv[1], cls.status());
  if (!sep.ok()) return fail(argv[1], sep.status());

  // The words, padded to the longest sentence: [CLS] words [SEP].
  const std::size_t index_size = Wordpiece::index_size(*file);
  const std::size_t index_bytes =
      (index_size * sizeof(std::uint32_t) / Arena::kAlignment + 1) * Arena::kAlignment;
  Arena index(std::aligned_alloc(Arena::kAlignment, index_bytes), index_bytes);
  const Result<Wordpiece> words =
      Wordpiece::bind(*file, {index.take<std::uint32_t>(index_size), index_size});
  if (!words.ok()) return fail(argv[1], words.status());
  static std::int32_t text[kMostSentences][kMostWords];
  static int length[kMostSentences];
  const int most = std::min(kMostWords, bert::longest_sequence(*config));
  if (most < 3) {
    std::fprintf(stderr, "sentence_embedding: %s: has no positions for a word between two tokens\n",
                 argv[1]);
    return 1;
  }
  int longest = 0;
  for (int s = 0; s < sentences; ++s) {
    const auto room = static_cast<std::size_t>(most - 2);
    const Result<int> count = words->encode(argv[s + 2], {text[s] + 1, room});
    if (!count.ok()) return fail(argv[s + 2], count.status());
    length[s] = std::min(*count, most - 2) + 2;
    text[s][0] = static_cast<std::int32_t>(*cls);
    text[s][length[s] - 1] = static_cast<std::int32_t>(*sep);
    longest = std::max(longest, length[s]);
  }
  static std::int32_t ids[kMostSentences * kMostWords];
  static std::uint8_t mask[kMostSentences * kMostWords];
  for (int i = 0; i < sentences * longest; ++i) {
    const int s = i / longest, p = i % longest;
    mask[i] = p < length[s] ? 1 : 0;
    ids[i] = p < length[s] ? text[s][p] : config->padding_id;
  }

  // The memory is counted by the code that will run. Padding is not computed.
  bert::Input input;
  input.wanted = bert::kEmbedding;
  input.batch = sentences;
  input.seq = longest;
  Count count;
  bert::forward(count, *config, weights, input, {});
  Arena scratch(std::aligned_alloc(Arena::kAlignment, count.scratch_bytes()),
                count.scratch_bytes());
  const std::size_t floats =
      static_cast<std::size_t>(sentences) * static_cast<std::size_t>(config->hidden);
  const std::size_t vector_bytes =
      (floats * sizeof(float) / Arena::kAlignment + 1) * Arena::kAlignment;
  Arena vectors(std::aligned_alloc(Arena::kAlignment, vector_bytes), vector_bytes);
  bert::Output output;
  output.embedding = vectors.take<float>(floats);

  input.ids = ids;
  input.mask = mask;
  const Status checked = bert::check(*config, input);
  if (!checked.ok()) return fail("input", checked);
  Cpu<> cpu(scratch);
  bert::forward(cpu, *config, weights, input, output);

  // The vectors have length 1: a product is a cosine.
  for (int a = 0; a < sentences; ++a) {
    std::printf("%-40.40s", argv[a + 2]);
    for (int b = 0; b < sentences; ++b) {
      double cosine = 0;
      for (int i = 0; i < config->hidden; ++i) {
        cosine += static_cast<double>(output.embedding[a * config->hidden + i]) *
                  static_cast<double>(output.embedding[b * config->hidden + i]);
      }
      std::printf(" %6.3f", cosine);
    }
    std::printf("\n");
  }
  std::printf("%d sentences of up to %d word pieces, %zu bytes of scratch\n", sentences, longest,
              count.scratch_bytes());
  return 0;
}
