#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <dispatch/dispatch.hpp>

#include "bert_session.hpp"
#include "models/bert_fixture.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE(
    "BERT: a sequence alone, in a batch, on other threads and with everything computed has the "
    "same bits") {
  constexpr int kBatch = 4, kSeq = 13;
  for (const char* family : kFamilies) {
    CAPTURE(family);
    tools::BertSession session(bert_model(family)), threaded(bert_model(family), {}, 3);
    const bert::Config& c = session.config();
    const MadeUpText text(c, kBatch, kSeq, 5);
    Outputs batch(c, text.in), threads(c, text.in), full(c, text.in);
    session.forward(text.in, batch.out());
    threaded.forward(text.in, threads.out());
    const bert::Trace everything{};
    session.forward(text.in, full.out(), &everything);
    for (int b = 0; b < kBatch; ++b) {
      CAPTURE(b);
      const auto wanted = batch.row(text.in, b);
      CHECK(same_bits(wanted, threads.row(text.in, b)));
      CHECK(same_bits(wanted, full.row(text.in, b)));
      const bert::Input one = text.alone(b);
      Outputs alone(c, one);
      session.forward(one, alone.out());
      CHECK(same_bits(wanted, alone.row(one, 0)));
    }
  }
}

TEST_CASE(
    "BERT: each head alone, reading few rows of the last layer, gives what all give together") {
  for (const char* family : kFamilies) {
    CAPTURE(family);
    tools::BertSession session(bert_model(family));
    const bert::Config& c = session.config();
    MadeUpText text(c, 3, 11, 6);
    Outputs together(c, text.in);
    session.forward(text.in, together.out());
    for (unsigned head = 1; head <= bert::kEmbedding; head *= 2) {
      if ((bert::heads_of(c) & head) == 0) continue;
      CAPTURE(head);
      text.in.wanted = head;
      Outputs single(c, text.in);
      session.forward(text.in, single.out());
      // A masked position that only another head needed is computed for all.
      for (Outputs* outputs : {&single, &together}) {
        for (std::size_t i = 0; i < outputs->start.size(); ++i) {
          if (text.mask[i] == 0) outputs->start[i] = outputs->end[i] = 0;
        }
      }
      const auto compare = [&](unsigned which, std::vector<float> Outputs::*x) {
        if (head == which) CHECK(same_bits(single.*x, together.*x));
      };
      compare(bert::kPooled, &Outputs::pooled);
      compare(bert::kClasses, &Outputs::classes);
      compare(bert::kMaskedLm, &Outputs::masked_lm);
      compare(bert::kNextSentence, &Outputs::next_sentence);
      compare(bert::kSentenceOrder, &Outputs::sentence_order);
      compare(bert::kAnswer, &Outputs::start);
      compare(bert::kAnswer, &Outputs::end);
      compare(bert::kEmbedding, &Outputs::embedding);
    }
  }
}

TEST_CASE("BERT: words predicted at chosen positions are those predicted everywhere") {
  for (const char* family : kFamilies) {
    CAPTURE(family);
    tools::BertSession session(bert_model(family));
    const bert::Config& c = session.config();
    MadeUpText text(c, 3, 11, 7, true);
    text.in.wanted = bert::kMaskedLm;
    Outputs chosen(c, text.in);
    session.forward(text.in, chosen.out());
    bert::Input in = text.in;
    in.lm_positions = nullptr;
    in.lm_each = 0;
    Outputs everywhere(c, in);
    session.forward(in, everywhere.out());
    for (int b = 0; b < in.batch; ++b) {
      for (int j = 0; j < 2; ++j) {
        const int p = text.lm_positions[static_cast<std::size_t>(2 * b + j)];
        const float* a = chosen.masked_lm.data() + (2 * b + j) * c.vocab;
        const float* all = everywhere.masked_lm.data() + (b * in.seq + p) * c.vocab;
        CHECK(std::memcmp(a, all, static_cast<std::size_t>(c.vocab) * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("BERT: an embedding is the mean of the live states, scaled to unit length") {
  tools::BertSession session(bert_model("bert"));
  const bert::Config& c = session.config();
  const MadeUpText text(c, 2, 9, 8);
  Outputs outputs(c, text.in);
  session.forward(text.in, outputs.out());
  for (int b = 0; b < 2; ++b) {
    std::vector<double> mean(static_cast<std::size_t>(c.hidden));
    double squares = 0;
    for (int i = 0; i < c.hidden; ++i) {
      double& sum = mean[static_cast<std::size_t>(i)];
      for (int p = 0; p < 9; ++p) {
        const auto at = static_cast<std::size_t>(b * 9 + p);
        if (text.mask[at] != 0)
          sum += static_cast<double>(
              outputs.last_hidden[at * mean.size() + static_cast<std::size_t>(i)]);
      }
      squares += sum * sum;
    }
    for (std::size_t i = 0; i < mean.size(); ++i) {
      const double got =
          static_cast<double>(outputs.embedding[static_cast<std::size_t>(b) * mean.size() + i]);
      CHECK(std::abs(got - mean[i] / std::sqrt(squares)) <= 1e-6);
    }
  }
}

TEST_CASE("BERT: every instruction set with FMA has the same bits") {
  for (const char* family : kFamilies) {
    CAPTURE(family);
    tools::BertSession session(bert_model(family));
    const bert::Config& c = session.config();
    const MadeUpText text(c, 3, 17, 9);
    std::vector<float> wanted;
    for (int i = 0; i < kernels::count(); ++i) {
      const std::string isa = kernels::at(i).isa;
      CAPTURE(isa);
      if (isa == "sse4_2") continue;
      session.use(kernels::at(i));
      Outputs outputs(c, text.in);
      session.forward(text.in, outputs.out());
      std::vector<float> all;
      for (int b = 0; b < 3; ++b) {
        const auto row = outputs.row(text.in, b);
        all.insert(all.end(), row.begin(), row.end());
      }
      if (wanted.empty()) wanted = all;
      CHECK(same_bits(all, wanted));
    }
  }
}

TEST_CASE("BERT: scratch used is scratch planned") {
  for (const char* family : kFamilies) {
    CAPTURE(family);
    for (const int threads : {1, 2}) {
      tools::BertSession session(bert_model(family), {}, threads);
      const bert::Config& c = session.config();
      const unsigned everything = bert::heads_of(c);
      for (unsigned wanted = 1; wanted <= 2 * bert::kEmbedding; wanted *= 2) {
        for (const bool every_row : {false, true}) {
          MadeUpText text(c, 3, 14, 10, true);
          text.in.wanted = wanted > bert::kEmbedding ? everything : wanted & everything;
          if (text.in.wanted == 0) continue;
          CAPTURE(text.in.wanted);
          CAPTURE(every_row);
          Outputs outputs(c, text.in);
          const bert::Trace look{};
          const bert::Trace* trace = every_row ? &look : nullptr;
          const std::size_t planned = session.plan(text.in, trace).scratch_bytes;
          const std::size_t used = session.run(planned, [&](auto& backend) {
            bert::forward(backend, c, session.weights(), text.in, outputs.out(), trace);
          });
          CHECK(used == planned);
        }
      }
    }
  }
}

TEST_CASE("BERT: RoBERTa counts positions of what is not padding, wherever the padding stands") {
  tools::BertSession session(bert_model("roberta"));
  const bert::Config& c = session.config();
  REQUIRE(c.padding_id == 1);
  const std::int32_t ids[] = {5, 1, 6, 7, 1, 8};
  const std::int32_t positions[] = {2, 1, 3, 4, 1, 5};
  bert::Input in;
  in.wanted = bert::kEmbedding;
  in.seq = 6;
  in.ids = ids;
  Outputs counted(c, in), given(c, in);
  session.forward(in, counted.out());
  in.positions = positions;
  session.forward(in, given.out());
  CHECK(same_bits(counted.embedding, given.embedding));
  CHECK(bert::longest_sequence(c) == c.position_rows - 2);
}

TEST_CASE("BERT: inputs from outside are checked before anything is read with them") {
  tools::BertSession session(bert_model("bert"));
  const bert::Config& c = session.config();
  const auto broken = [&](auto damage) {
    MadeUpText text(c, 2, 10, 19);
    damage(text);
    return std::string(bert::check(c, text.in).subject());
  };
  CHECK(broken([](MadeUpText&) {}).empty());
  CHECK(broken([&](MadeUpText& t) { t.ids[3] = c.vocab; }) == "ids");
  CHECK(broken([](MadeUpText& t) { t.ids[19] = -1; }) == "ids");
  CHECK(broken([](MadeUpText& t) { t.in.ids = nullptr; }) == "ids");
  CHECK(broken([&](MadeUpText& t) { t.types[0] = c.types; }) == "types");
  CHECK(broken([](MadeUpText& t) { t.lm_positions[1] = 10; }) == "lm_positions");
  CHECK(broken([](MadeUpText& t) { t.in.lm_each = 11; }) == "lm_each");
  CHECK(broken([](MadeUpText& t) { t.in.lm_positions = nullptr; }) == "lm_each");
  CHECK(broken([](MadeUpText& t) {
          t.in.lm_positions = nullptr;
          t.in.lm_each = -5;
        }) == "lm_each");
  CHECK(broken([](MadeUpText& t) { t.in.live = -1; }) == "live");
  CHECK(broken([](MadeUpText& t) { t.in.seq = -1; }) == "seq");
  CHECK(broken([](MadeUpText& t) { t.in.positions = t.ids.data(); }) == "positions");
  CHECK(broken([](MadeUpText& t) { t.mask.assign(20, 0); }) == "mask");
  CHECK(broken([](MadeUpText& t) { t.in.batch = 0; }) == "batch");
  CHECK(broken([](MadeUpText& t) { t.in.wanted = 0; }) == "wanted");
  CHECK(broken([](MadeUpText& t) { t.in.wanted = bert::kSentenceOrder; }) == "wanted");
  MadeUpText longer(c, 1, c.position_rows + 1, 3);
  CHECK(bert::check(c, longer.in).subject() == "seq");
}
