#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "conversion.hpp"
#include "convert_bert.hpp"
#include "model_session.hpp"
#include "safetensors_writer.hpp"
#include "tool_files.hpp"

using namespace kinglet;
using namespace kinglet::tools;
using kinglet::tests::BasicConversion;
using kinglet::tests::read_text;
using kinglet::tests::says;
using kinglet::tests::ScratchFolder;
using kinglet::tests::write_text;
using Json = nlohmann::json;

namespace {

const std::string kFixture = KINGLET_TEST_DATA "/zoo/bert-seqcls";
const std::string kPabee = KINGLET_TEST_DATA "/alfred/pabee_bert_regression";

struct Conversion : BasicConversion {
  Conversion() {
    request.input = kFixture + "/pytorch_model.oldnames.bin";
    request.config = kFixture + "/config.json";
  }
  void rename(const std::string& from, const std::string& to) {
    edit_weights([&](std::vector<Tensor>& tensors) {
      for (Tensor& tensor : tensors) {
        const std::size_t at = tensor.name.find(from);
        if (at != std::string::npos) tensor.name.replace(at, from.size(), to);
      }
    });
  }
};

void drop(std::vector<Tensor>& tensors, const std::string& part) {
  const auto gone = [&](const Tensor& t) { return t.name.find(part) != std::string::npos; };
  tensors.erase(std::remove_if(tensors.begin(), tensors.end(), gone), tensors.end());
}

}  // namespace

TEST_CASE("the architecture is the one that a config names") {
  Conversion c;
  CHECK(architecture_of(c.request) == "bert");
  c.edit_config([](Json& root) { root.erase("model_type"); });
  CHECK(architecture_of(c.request) == "bert");  // by the name of the class
  c.edit_config([](Json& root) { root["architectures"] = {"BertweetModel"}; });
  CHECK(says(c.error(), "edited.json: architecture: no model_type"));
  c.edit_config([](Json& root) { root["model_type"] = "gpt2"; });
  CHECK(says(c.error(), "model_type: 'gpt2' is not supported"));
  c.request.config = KINGLET_TEST_DATA "/alfred/hitut_roberta/config.json";
  CHECK(architecture_of(c.request) == "hitut");
  c.request.config.clear();
  CHECK(says(c.error(), "architecture: is not known; give --config or --arch"));
  c.architecture = "bert";
  CHECK(says(c.error(), "--config: model_type: is not known"));
}

TEST_CASE("a config may lie inside another file, as model.json and experiments hold it") {
  Conversion plain, nested;
  plain.run();
  nested.edit_config([](Json& root) {
    const Json config = root;
    root = Json::object();
    root["config"] = config;
  });
  nested.run();
  CHECK(read_text(plain.request.output) == read_text(nested.request.output));
}

TEST_CASE("old names, other prefixes and integer buffers give the same file") {
  Conversion old, renamed;
  old.run();
  renamed.rename("LayerNorm.gamma", "LayerNorm.weight");
  renamed.rename("LayerNorm.beta", "LayerNorm.bias");
  renamed.rename("bert.", "module.bert.");
  renamed.run();
  const auto without_hash = [](const Conversion& c) {
    std::string text = read_text(c.request.output);
    const std::string hash(*c.file.string("kinglet.source.sha256"));
    return text.replace(text.find(hash), hash.size(), hash.size(), '0');
  };
  CHECK(without_hash(old) == without_hash(renamed));
  CHECK(says(old.report, "skipped   embeddings.position_ids"));
  CHECK(*old.file.u64("kinglet.source.parameters") == 21107);
}

TEST_CASE("word pieces are stored with the ids of the special ones") {
  Conversion c;
  c.request.vocab = kFixture + "/vocab.txt";
  c.run();
  CHECK(*c.file.u64("tokenizer.ggml.cls_token_id") == 2);
  CHECK(*c.file.u64("tokenizer.ggml.seperator_token_id") == 3);
  CHECK(c.file.array("tokenizer.ggml.tokens")->count() == 70);
  Conversion shorter;
  shorter.request.vocab = shorter.scratch.file("vocab.txt");
  write_text(shorter.request.vocab, "[PAD]\n[UNK]\n");
  CHECK(says(shorter.error(), "vocabulary: 2 lines for a word table of 70 rows"));
}

TEST_CASE("what does not fit together is named") {
  const auto broken = [](const std::function<void(Conversion&)>& damage) {
    Conversion c;
    damage(c);
    return c.error();
  };
  const auto config = [](const char* key, const Json& value) {
    return [=](Conversion& c) { c.edit_config([&](Json& root) { root[key] = value; }); };
  };
  CHECK(says(broken(config("hidden_size", 48)), "hidden_size: is 48, but the checkpoint has 32"));
  CHECK(says(broken(config("num_hidden_layers", 3)), "num_hidden_layers: is 3"));
  CHECK(says(broken(config("num_attention_heads", 5)), "5 heads do not divide the width 32"));
  CHECK(says(broken(config("num_attention_heads", nullptr)), "give --heads N"));
  CHECK(says(broken(config("hidden_act", "swish")), "hidden_act: 'swish' is not supported"));
  CHECK(says(broken(config("position_embedding_type", "relative_key")), "only absolute positions"));
  CHECK(says(broken(config("pad_token_id", 70)), "pad_token_id: is no word"));
  CHECK(says(broken(config("layer_norm_eps", -1)), "layer_norm_eps: is not a positive number"));
  const auto without = [](const char* part) {
    return [=](Conversion& c) {
      c.edit_weights([&](std::vector<Tensor>& tensors) { drop(tensors, part); });
    };
  };
  CHECK(says(broken(without("word_embeddings")), "word_embeddings.weight': is missing"));
  CHECK(
      says(broken(without("layer.1.output.dense.bias")), "layer.1.output.dense.bias': is missing"));
  CHECK(says(broken(without("pooler")), "classes of every token are not supported"));
  CHECK(says(broken([](Conversion& c) { c.rename("classifier", "speaker_head"); }),
             "'speaker_head.weight': has no place in this model"));
  CHECK(says(broken([](Conversion& c) {
               c.edit_weights([](std::vector<Tensor>& tensors) {
                 Tensor twin = tensors.front();
                 twin.name.erase(0, 5);
                 tensors.push_back(twin);
               });
             }),
             "is there under two names"));
}

TEST_CASE("PABEE is a BERT with a classifier for each layer") {
  Conversion c;
  c.request.input = kPabee + "/pytorch_model.safetensors";
  c.request.config = kPabee + "/config.json";
  c.run();
  CHECK(*c.file.string("general.architecture") == "pabee");
  CHECK(*c.file.u64("pabee.exit_label_count") == 1);
  CHECK(*c.file.f64("pabee.regression_threshold") == 1.0);
  CHECK(open_model(c.request.output)->positions() == 16);
  Conversion fewer;
  fewer.request = c.request;
  fewer.request.output = fewer.scratch.file("out.gguf");
  fewer.edit_weights([](std::vector<Tensor>& tensors) { drop(tensors, "classifiers.4"); });
  CHECK(says(fewer.error(), "exits: 4 classifiers for 5 layers"));
}

TEST_CASE("a session opens a model of any architecture, from a file or from memory") {
  Conversion c;
  c.run();
  const auto session = open_model(c.bytes->bytes(), "in memory");
  CHECK(session->path() == "in memory");
  CHECK(session->positions() == 48);
  const Checkpoint golden = read_checkpoint(kFixture + "/cases/b3_s19_holes.safetensors");
  const auto two = session->run_samples(golden, 2);
  REQUIRE(two.size() == 1);
  CHECK(two[0].name == "out.logits");
  CHECK(two[0].shape == std::vector<std::int64_t>{2, 3});
  std::vector<std::string> names;
  for (const NamedPlan& plan : session->plans(1, 0, false)) {
    names.push_back(plan.name);
    CHECK(plan.plan.flops > 0);
  }
  CHECK(names ==
        std::vector<std::string>{"last_hidden_state", "pooler_output", "logits", "embedding"});
  CHECK_THROWS_AS(open_model(KINGLET_TEST_DATA "/hostile/accept/gguf/plain.gguf"), FileError);
}
