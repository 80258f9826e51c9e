#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "models/bert_fixture.hpp"
#include "pabee_session.hpp"

using namespace kinglet;
using namespace kinglet::test;

namespace {

constexpr int kSeq = 9;

struct Run {
  std::vector<float> logits, layer_logits;
  std::vector<std::int32_t> used;
  int ran = 0;

  const float* row(int b, int labels) const { return logits.data() + b * labels; }
};

Run run(tools::PabeeSession& session, const pabee::Input& in) {
  const auto batch = static_cast<std::size_t>(in.text.batch);
  const auto labels = static_cast<std::size_t>(session.config().labels);
  const auto layers = static_cast<std::size_t>(session.config().encoder.layers);
  Run r{std::vector<float>(batch * labels), std::vector<float>(layers * batch * labels),
        std::vector<std::int32_t>(batch), 0};
  r.ran = session.forward(in, {r.logits.data(), r.used.data(), r.layer_logits.data(), nullptr});
  return r;
}

bool same(const float* a, const float* b, int n) {
  return std::memcmp(a, b, static_cast<std::size_t>(n) * sizeof(float)) == 0;
}

/// The published rule, from the logits of every layer.
int layers_by_hand(const pabee::Config& c, const Run& all, int first, int count, int batch,
                   int patience, float threshold) {
  int counter = 0;
  for (int l = 1; l < c.encoder.layers; ++l) {
    bool agreed = true;
    for (int b = first; b < first + count; ++b) {
      const float* now = all.layer_logits.data() + (l * batch + b) * c.labels;
      const float* before = now - batch * c.labels;
      agreed = agreed && (c.labels == 1 ? std::fabs(now[0] - before[0]) < threshold
                                        : std::max_element(now, now + c.labels) - now ==
                                              std::max_element(before, before + c.labels) - before);
    }
    counter = agreed ? counter + 1 : 0;
    if (counter == patience) return l + 1;
  }
  return c.encoder.layers;
}

}  // namespace

TEST_CASE("PABEE: both modes leave after the layers that the published rule says") {
  constexpr int kBatch = 7;
  for (const int labels : {1, 2, 3}) {
    CAPTURE(labels);
    tools::PabeeSession session(bert_model("bert", labels)),
        threaded(bert_model("bert", labels), {}, 3);
    const pabee::Config& c = session.config();
    const MadeUpText text(c.encoder, kBatch, kSeq, 3);
    pabee::Input in;
    in.text = text.in;
    in.threshold = labels == 1 ? 0.5f : 0.0f;
    in.patience = c.encoder.layers + 1;
    const Run all = run(session, in);
    CHECK(all.ran == c.encoder.layers);
    bool differ = false;
    for (in.patience = 1; in.patience <= c.encoder.layers; ++in.patience) {
      CAPTURE(in.patience);
      in.mode = pabee::Mode::batch;
      in.text = text.in;
      const Run batch = run(session, in);
      const int wanted = layers_by_hand(c, all, 0, kBatch, kBatch, in.patience, in.threshold);
      CHECK(batch.ran == wanted);
      CHECK(same(batch.logits.data(), all.layer_logits.data() + (wanted - 1) * kBatch * labels,
                 kBatch * labels));
      in.mode = pabee::Mode::row;
      const Run rows = run(session, in), threads = run(threaded, in);
      CHECK(same(rows.logits.data(), threads.logits.data(), kBatch * labels));
      for (int b = 0; b < kBatch; ++b) {
        CAPTURE(b);
        const int layers = layers_by_hand(c, all, b, 1, kBatch, in.patience, in.threshold);
        CHECK(rows.used[static_cast<std::size_t>(b)] == layers);
        differ = differ || layers != rows.used[0];
        for (const pabee::Mode mode : {pabee::Mode::row, pabee::Mode::batch}) {
          pabee::Input one = in;
          one.mode = mode;
          one.text = text.alone(b);
          const Run alone = run(session, one);
          CHECK(alone.ran == layers);
          CHECK(same(alone.logits.data(), rows.row(b, labels), labels));
        }
      }
      in.text = text.in;
    }
    CHECK(differ);  // the sequences did not all leave together
  }
}

TEST_CASE("PABEE: without patience the last classifier speaks, from one row of the last layer") {
  tools::PabeeSession session(bert_model("bert", 3));
  const pabee::Config& c = session.config();
  const MadeUpText text(c.encoder, 3, kSeq, 4);
  pabee::Input in;
  in.text = text.in;
  const Run last = run(session, in);
  in.patience = c.encoder.layers + 1;
  const Run all = run(session, in);
  CHECK(last.ran == c.encoder.layers);
  CHECK(last.logits == all.logits);
}

TEST_CASE("PABEE: scratch used is scratch planned when nobody leaves, and never more") {
  tools::PabeeSession session(bert_model("bert", 2));
  const pabee::Config& c = session.config();
  const MadeUpText text(c.encoder, 5, kSeq, 5, true);
  for (const pabee::Mode mode : {pabee::Mode::batch, pabee::Mode::row}) {
    for (const int patience : {0, 1, 2, 9}) {
      pabee::Input in;
      in.text = text.in;
      in.mode = mode;
      in.patience = patience;
      std::vector<float> logits(10);
      const std::size_t planned = session.plan(in).scratch_bytes;
      const std::size_t used = session.run(planned, [&](auto& backend) {
        pabee::forward(backend, c, session.weights(), in, {logits.data()});
      });
      CHECK(used <= planned);
      if (patience == 0 || patience == 9) CHECK(used == planned);
    }
  }
  pabee::Input in;
  in.text = text.in;
  in.patience = -1;
  CHECK(pabee::check(c, in).subject() == "patience");
  in.patience = 1;
  CHECK(pabee::check(c, in).ok());
  const std::vector<std::uint8_t> masked(5 * kSeq);
  in.text.mask = masked.data();
  CHECK(pabee::check(c, in).subject() == "mask");
}
