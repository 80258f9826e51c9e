// make_episode EPISODES.json NUMBER OUT.bin: one of the recorded episodes as the flat file that
// hitut_agent reads. Run at build time, so that the agent links no JSON library.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include "episode.hpp"

namespace {

using Json = nlohmann::json;

class Writer {
 public:
  void word(std::uint32_t value) { raw(&value, sizeof value); }
  void number(double value) {
    const float f = static_cast<float>(value);
    raw(&f, sizeof f);
  }
  void text(const std::string& value) {
    bytes_ += value;
    while (bytes_.size() % 4 != 0) bytes_ += '\0';
  }
  void raw(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::uint32_t id_of(const Json& names, const std::string& name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<std::uint32_t>(i);
  }
  throw std::runtime_error("unknown name " + name);
}

std::string episode_of(const Json& file, std::size_t number) {
  const Json& names = file.at("names");
  const Json& episode = file.at("episodes").at(number);
  Writer out;
  out.raw(episode::kMagic, sizeof episode::kMagic);
  out.word(static_cast<std::uint32_t>(episode.at("steps").size()));
  for (const Json& step : episode.at("steps")) {
    const std::string task = step.at("task");
    const Json& lang = step.at("lang");
    const std::string text =
        lang == "goal" ? episode.at("goal").at("text")
                       : episode.at("instructions").at(lang.get<std::size_t>()).at("text");
    const Json& frame = episode.at("frames").at(step.at("frame").get<std::size_t>());
    std::vector<std::uint32_t> history;
    std::istringstream words(step.at("history").get<std::string>());
    for (std::string name; words >> name;) history.push_back(id_of(names, name));

    out.word(task == "high" ? 0 : task == "low_mani" ? 1 : 2);
    out.word(step.value("rotation", 0u));
    out.word(step.value("horizon", 0u));
    out.word(static_cast<std::uint32_t>(text.size()));
    out.word(static_cast<std::uint32_t>(frame.at("boxes").size()));
    out.word(static_cast<std::uint32_t>(history.size()));
    out.text(text);
    for (std::size_t i = 0; i < frame.at("boxes").size(); ++i) {
      for (const Json& pixel : frame.at("boxes")[i]) out.number(pixel.get<double>());
      out.number(frame.at("scores").at(i).get<double>());
      out.word(frame.at("classes").at(i).get<std::uint32_t>());
    }
    for (const std::uint32_t id : history) out.word(id);
  }
  return out.bytes();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4)
    return std::fprintf(stderr, "usage: make_episode EPISODES.json NUMBER OUT.bin\n"), 2;
  try {
    std::ifstream in(argv[1]);
    const Json file = Json::parse(in);
    const std::string bytes =
        episode_of(file, static_cast<std::size_t>(std::strtoul(argv[2], nullptr, 10)));
    std::ofstream out(argv[3], std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) throw std::runtime_error(std::string("cannot write ") + argv[3]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_episode: %s\n", error.what());
    return 1;
  }
}
