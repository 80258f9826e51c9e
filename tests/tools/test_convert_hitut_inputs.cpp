// What HiTUT's converter asks for, notes, and refuses.

#include <limits>

#include "hitut_conversion.hpp"

using namespace kinglet;
using namespace kinglet::tests;
using namespace kinglet::tools;
using Json = nlohmann::json;

TEST_CASE("a tensor that is missing, extra, mis-shaped or of the wrong kind is named") {
  const std::string query = "encoder.encoder.layer.1.attention.self.query.weight";
  HitutConversion conversion("bert");
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  std::string expected;
  SUBCASE("missing") {
    conversion.edit_weights([&](auto& tensors) { drop(tensors, query); });
    expected = "tensor '" + query + "': is missing";
  }
  SUBCASE("a whole layer is missing in between") {
    conversion.edit_weights([&](auto& tensors) {
      for (Tensor& tensor : tensors) {
        const std::size_t at = tensor.name.find("layer.1.");
        if (at != std::string::npos) tensor.name.replace(at, 8, "layer.2.");
      }
    });
    conversion.edit_config([](Json& root) { root["dims"]["layers"] = 1; });
    expected = "encoder.encoder.layer.2.";
  }
  SUBCASE("extra") {
    conversion.edit_weights([&](auto& tensors) {
      Tensor extra = named(tensors, query);
      extra.name = "adapter.weight";
      tensors.push_back(extra);
    });
    expected = "tensor 'adapter.weight': has no place in this model (shape [32, 32])";
  }
  SUBCASE("shape") {
    floats.assign(32 * 31, 0.0f);
    conversion.edit_weights([&](auto& tensors) {
      named(tensors, query).shape = {32, 31};
      set_values(named(tensors, query), floats, DType::f32, "float32");
    });
    expected = "tensor '" + query + "': has the shape [32, 31], needed is [32, 32]";
  }
  SUBCASE("rank of a tensor that gives a size") {
    conversion.edit_weights([&](auto& tensors) {
      Tensor& table = named(tensors, "encoder.embeddings.position_embeddings.weight");
      table.shape.push_back(1);
      table.stride.push_back(1);
    });
    expected = "'encoder.embeddings.position_embeddings.weight': has the shape [40, 32, 1]";
  }
  SUBCASE("too few positions") {
    floats.assign(20 * 32, 0.0f);
    conversion.edit_weights([&](auto& tensors) {
      Tensor& table = named(tensors, "encoder.embeddings.position_embeddings.weight");
      table.shape[0] = 20;
      set_values(table, floats, DType::f32, "float32");
    });
    expected = "position_embeddings.weight': has the shape [20, 32], needed is [26, 32]";
  }
  SUBCASE("integers") {
    integers.assign(32 * 32, 1);
    conversion.edit_weights(
        [&](auto& tensors) { set_values(named(tensors, query), integers, DType::s64, "int64"); });
    expected = "tensor '" + query + "': holds int64";
  }
  SUBCASE("not a number") {
    floats.assign(32 * 32, 0.0f);
    floats[700] = std::numeric_limits<float>::quiet_NaN();
    conversion.edit_weights(
        [&](auto& tensors) { set_values(named(tensors, query), floats, DType::f32, "float32"); });
    expected = "tensor '" + query + "': holds a NaN or an infinity";
  }
  SUBCASE("copies of the word table that differ") {
    floats.assign(209 * 32, 0.5f);
    conversion.edit_weights([&](auto& tensors) {
      Tensor copy = named(tensors, "encoder.embeddings.word_embeddings.weight");
      copy.name = "word_emb.weight";
      set_values(copy, floats, DType::f32, "float32");
      tensors.push_back(copy);
    });
    expected = "'word_emb.weight': differs from 'encoder.embeddings.word_embeddings.weight'";
  }
  SUBCASE("no encoder at all") {
    conversion.edit_weights([&](auto& tensors) { tensors.resize(1); });
    expected = "encoder: no tensors of a HiTUT encoder";
  }
  const std::string error = conversion.error();
  CAPTURE(error);
  CHECK(says(error, expected));
}

TEST_CASE("a float64 weight too large for float32 is an error") {
  HitutConversion conversion("bert");
  std::vector<double> doubles(32 * 7, 1e300);
  conversion.edit_weights([&](auto& t) {
    set_values(named(t, "vis_feat_to_emb.0.weight"), doubles, DType::f64, "float64");
  });
  CHECK(says(conversion.error(), "'vis_feat_to_emb.0.weight': holds a NaN or an infinity"));
}

TEST_CASE("id tables are checked against what they point into") {
  HitutConversion conversion("bert");
  const Checkpoint original = read_checkpoint(conversion.request.tables);
  std::vector<std::int64_t> ids;
  std::string expected;
  const auto replace = [&](const char* name, std::size_t at, std::int64_t id) {
    ids = values_of<std::int64_t>(*original.find(name));
    ids[at] = id;
    conversion.edit_tables(
        [&](auto& tensors) { set_values(named(tensors, name), ids, DType::s64, "int64"); });
  };
  SUBCASE("word beyond the vocabulary") {
    replace("action_to_words", 5, 209);
    expected = "action_to_words: holds the id 209, but there are only 209";
  }
  SUBCASE("negative word") {
    replace("action_to_words", 5, -1);
    expected = "tensor 'action_to_words': -1 is not an id";
  }
  SUBCASE("word of 64 bits") {
    replace("action_to_words", 5, (std::int64_t{1} << 32) + 3);
    expected = "4294967299 is not an id";
  }
  SUBCASE("action beyond the vocabulary") {
    replace("low_actions", 12, 127);
    expected = "low_actions: holds the id 127, but there are only 127";
  }
  SUBCASE("object beyond the vocabulary") {
    replace("objs", 0, 5000);
    expected = "objects: holds the id 5000";
  }
  SUBCASE("kinds of positions in another order") {
    replace("modal_indicator", 1, 2);
    expected = "modal_indicator: is not [CLS], vision, words, history";
  }
  SUBCASE("a table is missing") {
    conversion.edit_tables([](auto& tensors) { drop(tensors, "objs"); });
    expected = "tensor 'objs': is missing";
  }
  SUBCASE("an empty table") {
    conversion.edit_tables([](auto& tensors) { named(tensors, "high_actions").shape = {0}; });
    expected = "high_actions: has 0 entries";
  }
  SUBCASE("another rank") {
    conversion.edit_tables([](auto& tensors) {
      Tensor& table = named(tensors, "objs");
      table.shape = {106, 1};
      table.stride = {1, 1};
    });
    expected = "tensor 'objs': has the shape [106, 1]";
  }
  SUBCASE("not integers") {
    static const std::vector<float> floats(106);
    conversion.edit_tables(
        [](auto& tensors) { set_values(named(tensors, "objs"), floats, DType::f32, "float32"); });
    expected = "tensor 'objs': holds float32, not ids";
  }
  const std::string error = conversion.error();
  CAPTURE(error);
  CHECK(says(error, expected));
}

TEST_CASE("what nothing tells is asked for, and what does not agree is refused") {
  struct Wrong {
    const char* encoder;
    std::function<void(Json&)> edit;
    const char* expected;
  };
  const auto experiment = [](const char* key, const Json& value) {
    return [=](Json& root) { root["exp_config"][key] = value; };
  };
  const Wrong cases[] = {
      {"roberta", [](Json& root) { root["dims"].erase("heads"); }, "give --heads N"},
      {"roberta", [](Json& root) { root["dims"]["heads"] = 3; }, "3 heads do not divide"},
      {"roberta", [](Json& root) { root["dims"]["heads"] = "4"; }, "dims.heads: is not a usable"},
      {"roberta", [](Json& root) { root["dims"]["hidden"] = 48; }, "dims.hidden: is 48, but"},
      {"roberta", [](Json& root) { root["dims"]["layers"] = 6; }, "dims.layers: is 6, but"},
      {"roberta", [](Json& root) { root["dims"]["vis_len"] = 10; }, "do not agree"},
      {"roberta", [](Json& root) { root.erase("layer_norm_eps"); }, "give --eps X"},
      {"roberta", [](Json& root) { root["layer_norm_eps"]["encoder"] = -1; },
       "layer_norm_eps.encoder: is not a positive number"},
      {"roberta", [](Json& root) { root["activation"] = "swish"; }, "'swish' is not supported"},
      {"roberta", [](Json& root) { root["vocab"]["action_vocab"].erase(0); }, "126 names for 127"},
      {"roberta", [](Json& root) { root["exp_config"].erase("pred_head_pos"); },
       "pred_head_pos: is not known"},
      {"roberta", experiment("pred_head_pos", "middle"), "is neither cls nor sep"},
      {"roberta", experiment("disable_feat_vis", true), "disable_feat_vis: a model trained so"},
      {"roberta", experiment("bert_model", "bert"), "looks like roberta (1 token types)"},
      {"roberta", experiment("bert_model", "albert"), "looks like roberta"},
      {"roberta", experiment("bert_model", "xlnet"), "is no encoder of HiTUT"},
      {"roberta", experiment("use_bert", false), "use_bert: does not agree with the encoder"},
      {"scratch", experiment("use_bert", true), "use_bert: does not agree with the encoder"},
      {"albert", experiment("enable_feat_posture", true), "is not possible with ALBERT"},
      {"albert",
       [](Json& root) {
         root["dims"].erase("layers");
         root["exp_config"]["hidden_dim"] = 512;
       },
       "give --layers N"},
      {"scratch", experiment("enable_feat_vis_his", "yes"), "is neither true nor false"},
  };
  for (const Wrong& wrong : cases) {
    HitutConversion conversion(wrong.encoder);
    conversion.edit_config(wrong.edit);
    const std::string error = conversion.error();
    CAPTURE(error);
    CHECK_MESSAGE(says(error, wrong.expected), wrong.expected);
  }
  HitutConversion broken("bert");
  broken.request.config = broken.scratch.file("broken.json");
  write_text(broken.request.config, "{\"dims\": ");
  CHECK(says(broken.error(), "broken.json: JSON: "));
}

TEST_CASE("sizes in an experiment's arguments do not count for a pretrained encoder") {
  HitutConversion conversion("bert");
  conversion.edit_config([](Json& root) {
    for (const char* key :
         {"inner_dim", "hidden_dim", "enc_layer_num", "head_num", "emb_dim", "topk_objs"}) {
      root["exp_config"][key] = 77;
    }
  });
  conversion.run();
  CHECK(says(conversion.report, "topk_objs names other parts of the sequence"));
  CHECK(*conversion.file.u64("hitut.vision_length") == 7);
  CHECK(*conversion.file.u64("hitut.attention.head_count") == 4);
  CHECK(*conversion.file.u64("hitut.feed_forward_length") == 80);
  CHECK(*conversion.file.u64("hitut.block_count") == 2);
}

TEST_CASE("features that are switched off are left out, and it is said") {
  HitutConversion conversion("scratch");
  conversion.edit_config([](Json& root) {
    root["exp_config"]["enable_feat_posture"] = false;
    root["exp_config"]["enable_feat_vis_his"] = false;
    root["exp_config"]["auxiliary_loss_navi"] = false;
    root["exp_config"]["pred_head_pos"] = "sep";
  });
  conversion.run();
  CHECK_FALSE(*conversion.file.boolean("hitut.posture"));
  CHECK_FALSE(*conversion.file.boolean("hitut.history_vision"));
  CHECK_FALSE(*conversion.file.boolean("hitut.navigation_monitors"));
  CHECK(*conversion.file.string("hitut.pred_head_pos") == "sep");
  for (const char* name : {"rotation_embd.weight", "history_in.weight", "monitors.weight"}) {
    CHECK_FALSE(conversion.file.tensor(name).ok());
  }
  for (const char* name : {"rotation_emb.weight", "vis_his_to_enc_input.0.weight", "pos_ln.bias",
                           "visible_monitor.weight"}) {
    CHECK(says(conversion.report, name));
  }
  HitutConversion unused("bert");
  unused.run();
  for (const char* name : {"arg_head.weight", "high_head.bias", "low_head.weight",
                           "encoder.pooler.dense.weight", "encoder.embeddings.position_ids",
                           "vis_his_to_enc_input.weight", "token_type_embeddings.weight"}) {
    CHECK(says(unused.report, name));
  }
}

TEST_CASE("without a config that tells them apart, token types tell RoBERTa from BERT") {
  for (const char* encoder : {"roberta", "bert"}) {
    HitutConversion conversion(encoder);
    conversion.edit_config([](Json& root) { root["exp_config"].erase("bert_model"); });
    conversion.run();
    CHECK(*conversion.file.string("hitut.encoder") == encoder);
  }
  HitutConversion unclear("bert");
  std::vector<float> types(3 * 32);
  unclear.edit_weights([&](auto& tensors) {
    Tensor& table = named(tensors, "encoder.embeddings.token_type_embeddings.weight");
    table.shape[0] = 3;
    set_values(table, types, DType::f32, "float32");
  });
  unclear.edit_config([](Json& root) { root["exp_config"].erase("bert_model"); });
  CHECK(says(unclear.error(), "bert_model: is not known"));
}

TEST_CASE("ALBERT's layers may be given, and are stored once") {
  HitutConversion conversion("albert");
  conversion.request.layers = 7;
  conversion.run();
  CHECK(*conversion.file.u64("hitut.block_count") == 7);
  CHECK(*conversion.file.u64("hitut.stored_block_count") == 1);
  CHECK_FALSE(conversion.file.tensor("blk.1.ffn_up.weight").ok());
}

TEST_CASE("a vocabulary must fit the word table") {
  HitutConversion conversion("bert");
  conversion.request.vocab = conversion.scratch.file("vocab.txt");
  std::string lines = "[PAD]\n[UNK]\r\n";
  for (int i = 2; i < 209; ++i) lines += "word" + std::to_string(i) + "\n";
  write_text(conversion.request.vocab, lines);
  conversion.run();
  CHECK(*conversion.file.array("tokenizer.ggml.tokens")->string(1) == "[UNK]");
  CHECK(*conversion.file.array("tokenizer.ggml.tokens")->string(208) == "word208");
  std::filesystem::remove(conversion.request.output);
  write_text(conversion.request.vocab, lines + "more\n");
  CHECK(says(conversion.error(), "210 lines for a word table of 209 rows"));
  write_text(conversion.request.vocab, "[pad]" + lines.substr(5));
  CHECK(says(conversion.error(), "has no line '[PAD]'"));
  HitutConversion other("roberta");
  other.request.vocab = conversion.request.vocab;
  CHECK(says(other.error(), "roberta has no word pieces"));
}

TEST_CASE("the output may not be an input, and an unknown architecture is an error") {
  HitutConversion conversion("bert");
  conversion.edit_weights([](auto&) {});
  const std::string before = read_text(conversion.request.input);
  conversion.request.output = conversion.request.input;
  std::ostringstream report;
  CHECK_THROWS_AS(convert("hitut", conversion.request, report), FileError);
  CHECK(read_text(conversion.request.input) == before);
  CHECK_THROWS(convert("gpt", conversion.request, report));
}
