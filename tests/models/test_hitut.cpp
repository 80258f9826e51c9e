#include <doctest/doctest.h>

#include <cstring>
#include <dispatch/dispatch.hpp>
#include <limits>

#include "models/hitut_fixture.hpp"

using namespace kinglet;
using namespace kinglet::test;
using hitut::Task;

namespace {

constexpr Task kTasks[] = {Task::high, Task::low_mani, Task::low_navi};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool finite(const std::vector<float>& x) {
  for (const float v : x) {
    if (!(v - v == 0)) return false;
  }
  return true;
}

bool has_fma(const char* isa) { return std::strcmp(isa, "sse4_2") != 0; }

}  // namespace

TEST_CASE(
    "a sequence alone, in a batch, on other threads and with everything computed has the same "
    "bits") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    tools::HitutSession session(hitut_model(encoder));
    tools::HitutSession threaded(hitut_model(encoder), {}, 3);
    for (const bool reads_cls : {true, false}) {
      session.config().navigation_reads_cls = threaded.config().navigation_reads_cls = reads_cls;
      const hitut::Config& c = session.config();
      for (const Task task : kTasks) {
        CAPTURE(static_cast<int>(task));
        const MadeUpInput input(c, task, 3, 7);
        Heads batch(c, task, 3), threads(c, task, 3), full(c, task, 3);
        session.forward(input.in, batch.out());
        threaded.forward(input.in, threads.out());
        const hitut::Trace everything{};
        session.forward(input.in, full.out(), &everything);
        for (int b = 0; b < 3; ++b) {
          Heads alone(c, task, 1);
          session.forward(input.alone(c, b), alone.out());
          CHECK(finite(batch.row(b)));
          CHECK(same_bits(alone.row(0), batch.row(b)));
          CHECK(same_bits(threads.row(b), batch.row(b)));
          CHECK(same_bits(full.row(b), batch.row(b)));
        }
      }
    }
  }
}

TEST_CASE("every instruction set with fused multiply-add gives the same bits") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    tools::HitutSession session(hitut_model(encoder));
    const hitut::Config& c = session.config();
    for (const Task task : kTasks) {
      const MadeUpInput input(c, task, 2, 11);
      Heads wanted(c, task, 2);
      session.use(*kernels::find("scalar"));
      session.forward(input.in, wanted.out());
      for (int i = 0; i < kernels::count(); ++i) {
        Heads got(c, task, 2);
        CAPTURE(kernels::at(i).isa);
        session.use(kernels::at(i));
        session.forward(input.in, got.out());
        for (int b = 0; b < 2; ++b) {
          const auto x = got.row(b), y = wanted.row(b);
          if (has_fma(kernels::at(i).isa)) {
            CHECK(same_bits(x, y));
          } else {  // rounds twice where the others round once: a bound instead
            for (std::size_t j = 0; j < x.size(); ++j) CHECK(std::abs(x[j] - y[j]) <= 2e-4f);
          }
        }
      }
    }
  }
}

TEST_CASE("the logits have the recorded bits, whatever compiler and processor this is") {
  // Recorded with the scalar kernels on x86-64; features and ids of the inputs are exact everywhere.
  constexpr std::uint64_t kRecorded[] = {1964267374982644008u, 6283604671108510784u,
                                         11339028446688965076u, 3859413150554335157u};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string encoder = kEncoders[i];
    CAPTURE(encoder);
    tools::HitutSession session(hitut_model(encoder));
    if (!has_fma(session.isa())) session.use(*kernels::find("scalar"));
    std::uint64_t h = 14695981039346656037u;
    for (const Task task : kTasks) {
      const MadeUpInput input(session.config(), task, 2, 13);
      Heads heads(session.config(), task, 2);
      session.forward(input.in, heads.out());
      for (int b = 0; b < 2; ++b) h = hash(heads.row(b), h);
    }
    CHECK(h == kRecorded[i]);
  }
}

TEST_CASE("scratch used is scratch planned") {
  for (const char* encoder : kEncoders) {
    CAPTURE(encoder);
    for (const int threads : {1, 2}) {
      tools::HitutSession session(hitut_model(encoder), {}, threads);
      const hitut::Config& c = session.config();
      for (const Task task : kTasks) {
        for (const int batch : {1, 3}) {
          for (const bool every_row : {false, true}) {
            const MadeUpInput input(c, task, batch, 17, true);
            Heads heads(c, task, batch);
            const hitut::Trace everything{};
            const std::size_t planned = session.plan(task, batch, 0, every_row).scratch_bytes;
            const std::size_t used = session.run(planned, [&](auto& backend) {
              hitut::forward(backend, c, session.weights(), input.in, heads.out(),
                             every_row ? &everything : nullptr);
            });
            CHECK(used == planned);
          }
        }
      }
    }
  }
}

TEST_CASE("operations are those counted by hand") {
  tools::HitutSession session(hitut_model("bert"));
  const hitut::Config& c = session.config();
  const auto s = static_cast<std::uint64_t>(c.seq), h = static_cast<std::uint64_t>(c.hidden),
             inner = static_cast<std::uint64_t>(c.inner),
             layers = static_cast<std::uint64_t>(c.layers);
  const auto vision = static_cast<std::uint64_t>(c.vision),
             high = static_cast<std::uint64_t>(c.high_count),
             objects = static_cast<std::uint64_t>(c.object_count);
  // q, k and v are padded to whole panels: with 32 columns nothing is added.
  REQUIRE(h % 16 == 0);
  const std::uint64_t layer = 2 * s * h * (4 * h) + 4 * s * s * h + 4 * s * h * inner;
  const std::uint64_t last =
      2 * s * h * (2 * h) + 2 * (2 * h * (2 * h) + 4 * s * h + 4 * h * inner);
  const std::uint64_t ends = 2 * vision * 7 * h + 2 * h * (high + objects);
  CHECK(session.plan(Task::high, 1, 0, true).flops == layers * layer + ends);
  CHECK(session.plan(Task::high, 1, 0, false).flops == (layers - 1) * layer + last + ends);
}

TEST_CASE("inputs from outside are checked before anything is read with them") {
  tools::HitutSession session(hitut_model("scratch"));
  const hitut::Config& c = session.config();
  const auto broken = [&](auto damage) {
    MadeUpInput input(c, Task::low_navi, 2, 19);
    damage(input);
    return std::string(hitut::check(c, input.in).subject());
  };
  CHECK(broken([](MadeUpInput&) {}).empty());
  CHECK(broken([&](MadeUpInput& i) { i.words[3] = c.vocab; }) == "words");
  CHECK(broken([](MadeUpInput& i) { i.words[0] = -1; }) == "words");
  CHECK(broken([&](MadeUpInput& i) { i.vision.back() = c.actions; }) == "vision");
  CHECK(broken([&](MadeUpInput& i) { i.history[1] = c.actions; }) == "history");
  CHECK(broken([&](MadeUpInput& i) { i.past.back() = c.actions; }) == "past");
  CHECK(broken([](MadeUpInput& i) { i.rotation[1] = 4; }) == "rotation");
  CHECK(broken([](MadeUpInput& i) { i.horizon[0] = 12; }) == "horizon");
  CHECK(broken([&](MadeUpInput& i) { i.arg_position[0] = c.seq; }) == "arg_position");
  CHECK(broken([](MadeUpInput& i) { i.type_position[1] = -2; }) == "type_position");
  CHECK(broken([](MadeUpInput& i) { i.mask[0] = 0; }) == "mask");
  CHECK(broken([](MadeUpInput& i) { i.in.batch = 0; }) == "batch");
  CHECK(broken([](MadeUpInput& i) { i.in.words = nullptr; }) == "input");
}

TEST_CASE("a model file whose tensor is missing does not bind, and the tensor is named") {
  const auto file = tools::MappedFile::open(hitut_model("roberta"));
  std::string bytes(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  const std::string name = "blk.1.ffn_up.weight";
  for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at))
    bytes[at] = 'c';
  // ModelFile wants aligned memory as a mapping gives it.
  std::vector<std::uint64_t> aligned(bytes.size() / 8 + 9);
  auto address = reinterpret_cast<std::uintptr_t>(aligned.data());
  auto* copy = reinterpret_cast<unsigned char*>((address + 63) / 64 * 64);
  std::memcpy(copy, bytes.data(), bytes.size());
  const Result<ModelFile> opened = ModelFile::open({copy, bytes.size()});
  REQUIRE(opened.ok());
  const Result<hitut::Config> config = hitut::read_config(*opened);
  REQUIRE(config.ok());
  hitut::Weights weights;
  const Status status = hitut::bind(*opened, *config, weights);
  CHECK(status.code() == Code::missing);
  CHECK(status.subject() == name);
  hitut::Config wider = *config;
  wider.inner += 1;
  CHECK(hitut::bind(*opened, wider, weights).code() == Code::mismatch);
}

TEST_CASE("the most probable classes come first, equal ones by number") {
  tools::HitutSession session(hitut_model("bert"));
  const float logits[] = {0, 2, -1, 2, 1};
  hitut::Choice best[5];
  session.run(4096, [&](auto& backend) {
    CHECK(hitut::top_k(backend, logits, 5, 3, best) == 3);
    CHECK(best[0].index == 1);
    CHECK(best[1].index == 3);
    CHECK(best[2].index == 4);
    CHECK(best[0].probability == best[1].probability);
    CHECK(hitut::top_k(backend, logits, 5, 9, best) == 5);
    float sum = 0;
    for (const auto& choice : best) sum += choice.probability;
    CHECK(sum == doctest::Approx(1.0));
  });
}

TEST_CASE("logits that have no softmax have no most probable classes") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  tools::HitutSession session(hitut_model("bert"));
  for (int isa = 0; isa < kernels::count(); ++isa) {
    session.use(kernels::at(isa));
    for (const float strange : {kNan, kInfinity}) {
      for (std::size_t at = 0; at < 5; ++at) {
        float logits[] = {0, 2, -1, 2, 1};
        logits[at] = strange;
        hitut::Choice best[5];
        session.run(4096, [&](auto& be) { CHECK(hitut::top_k(be, logits, 5, 3, best) == 0); });
      }
    }
    const float some[] = {-kInfinity, 2, -kInfinity, 2, 1};
    hitut::Choice best[5];
    session.run(4096, [&](auto& be) { CHECK(hitut::top_k(be, some, 5, 5, best) == 5); });
    CHECK(best[2].index == 4);
    CHECK(best[3].probability == 0);
  }
}

TEST_CASE("the scratch of a step has room for the choice among its longest list") {
  tools::HitutSession session(hitut_model("bert"));
  hitut::Config c = session.config();
  c.object_count = 1 << 20;
  const std::size_t room = static_cast<std::size_t>(c.object_count) * sizeof(float);
  CHECK(hitut::step_bytes(c, session.weights()) == room);
  const std::vector<float> logits(1 << 20);
  hitut::Choice best{};
  session.run(room, [&](auto& be) {
    CHECK(hitut::top_k(be, logits.data(), c.object_count, 1, &best) == 1);
    ArenaScope scope(be.arena());
    be.arena().matrix(1, static_cast<int>(be.arena().size() / sizeof(float)));
    CHECK(hitut::top_k(be, logits.data(), c.object_count, 1, &best) == 0);
  });
}
