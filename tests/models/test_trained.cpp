// The trained model that ships with the repository gives what PyTorch gave: logits of the evaluation set, and every
// decision of the recorded episodes, from words and detections.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <kinglet/io/wordpiece.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "checkpoint.hpp"
#include "hitut_samples.hpp"
#include "models/hitut_fixture.hpp"
#include "nan.hpp"
#include "tools/tool_files.hpp"

using namespace kinglet;
using namespace kinglet::test;
using Json = nlohmann::json;

namespace {

const std::string kFolder = KINGLET_MODELS_DIR "/hitut6_small";

Json read_json(const std::string& name) {
  std::ifstream in(kFolder + "/" + name);
  REQUIRE(in);
  return Json::parse(in);
}

hitut::Task task_named(const std::string& name) {
  for (const tools::HitutTask& task : tools::kHitutTasks) {
    if (name == task.name) return task.task;
  }
  FAIL("no task of this name: " << name);
  return {};
}

/// Largest |difference| between the first logits and the recorded ones.
double distance(const std::vector<float>& got, const tools::Checkpoint& set,
                const std::string& name) {
  REQUIRE(set.find(name) != nullptr);
  const auto wanted = tools::values_of(set.path, *set.find(name)).numbers;
  REQUIRE(wanted.size() == got.size());
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    worst = tools::max_or_nan(worst, std::abs(wanted[i] - static_cast<double>(got[i])));
  }
  return worst;
}

}  // namespace

TEST_CASE("logits of the evaluation set are PyTorch's, within ten times its own rounding error") {
  const auto set = tools::read_checkpoint(kFolder + "/eval.safetensors");
  const Json errors = read_json("config.json").at("cases").at(0).at("fp32_error");
  tools::HitutSession session(trained_model());
  const hitut::Config& c = session.config();
  constexpr int kRecorded = 32;
  for (const tools::HitutTask& task : tools::kHitutTasks) {
    const std::string name = task.name;
    CAPTURE(name);
    const tools::HitutRows rows(tools::Samples(set, name), c, task.task);
    const hitut::Input in = rows.slice(0, kRecorded);
    Heads heads(c, in.task, kRecorded);
    session.forward(in, heads.out());
    const auto bound = [&](const std::string& head) {
      return 10 * errors.at(name + "." + head).get<double>();
    };
    CHECK(distance(heads.type, set, "golden." + name + ".type_logits") <= bound("type_logits"));
    CHECK(distance(heads.arg, set, "golden." + name + ".arg_logits") <= bound("arg_logits"));
    if (hitut::has_mask(in.task)) {
      CHECK(distance(heads.mask, set, "golden." + name + ".mask_logits") <= bound("mask_logits"));
    }
  }
}

TEST_CASE("every decision of the recorded episodes is reproduced from words and detections") {
  const Json recorded = read_json("episodes.json");
  tools::HitutSession session(trained_model());
  const hitut::Config& c = session.config();
  const hitut::Names names(session.file());
  std::vector<std::uint32_t> index(Wordpiece::index_size(session.file()));
  const Result<Wordpiece> words = Wordpiece::bind(session.file(), {index.data(), index.size()});
  REQUIRE(words.ok());
  const auto id_of = [&](const std::string& name) {
    const auto& all = recorded.at("names");
    return static_cast<std::int32_t>(std::find(all.begin(), all.end(), name) - all.begin());
  };

  // Emulated, an episode takes 20 s.
  const std::size_t most = tests::is_emulated() ? 1 : 5;
  if (most == 1) tests::say_skipped("all recorded episodes but one: minutes under emulation");
  int decisions = 0;
  for (std::size_t e = 0; e < most; ++e) {
    const Json& episode = recorded.at("episodes").at(e);
    for (const Json& step : episode.at("steps")) {
      CAPTURE(decisions);
      hitut::Observation seen;
      seen.task = task_named(step.at("task"));
      const Json& lang = step.at("lang");
      const Json& said = lang == "goal" ? episode.at("goal")
                                        : episode.at("instructions").at(lang.get<std::size_t>());
      std::vector<std::int32_t> ids(64);
      const Result<int> count =
          words->encode(said.at("text").get<std::string>(), {ids.data(), ids.size()});
      REQUIRE(count.ok());
      ids.resize(std::min(ids.size(), static_cast<std::size_t>(*count)));
      seen.words = {ids.data(), ids.size()};
      const Json& frame = episode.at("frames").at(step.at("frame").get<std::size_t>());
      std::vector<hitut::Detection> boxes;
      for (std::size_t i = 0; i < frame.at("boxes").size(); ++i) {
        const Json& box = frame.at("boxes")[i];
        boxes.push_back(
            {box[0], box[1], box[2], box[3], frame.at("scores")[i], frame.at("classes")[i]});
      }
      seen.detections = {boxes.data(), boxes.size()};
      std::vector<std::int32_t> history;
      std::istringstream text(step.at("history").get<std::string>());
      for (std::string name; text >> name;) history.push_back(id_of(name));
      seen.history = {history.data(), history.size()};
      seen.rotation = step.value("rotation", 0);
      seen.horizon = step.value("horizon", 0);

      Heads heads(c, seen.task, 1);
      session.run(hitut::step_bytes(c, session.weights()), [&](auto& backend) {
        REQUIRE(hitut::step(backend, c, session.weights(), seen, heads.out()).ok());
        // The recorded probabilities have five digits.
        const auto check = [&](const char* head, const std::vector<float>& logits, auto label) {
          hitut::Choice best[3];
          hitut::top_k(backend, logits.data(), static_cast<int>(logits.size()), 3, best);
          for (std::size_t i = 0; i < step.at("pred").at(head).size(); ++i) {
            const Json& wanted = step.at("pred").at(head)[i];
            CHECK(label(best[i].index) == wanted[0]);
            CHECK(std::abs(static_cast<double>(best[i].probability) - wanted[1].get<double>()) <=
                  2e-5);
          }
        };
        check("type", heads.type,
              [&](int i) { return Json(std::string(names.type(seen.task, i))); });
        if (step.at("pred").contains("arg")) {
          check("arg", heads.arg, [&](int i) { return Json(std::string(names.object(i))); });
        }
        if (step.at("pred").contains("mask"))
          check("mask", heads.mask, [](int i) { return Json(i); });
      });
      ++decisions;
    }
  }
  CHECK(decisions == (most == 1 ? 33 : 226));
}
