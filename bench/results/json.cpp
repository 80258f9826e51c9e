// Results as JSON. A member without a value is left out; one that the system does not tell is
// {"not_available": "<why>"}.

#include <limits>
#include <nlohmann/json.hpp>

#include "fields.hpp"
#include "file_error.hpp"
#include "json_text.hpp"

namespace kinglet::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr const char* kFormatKey = "kinglet_bench_results";
constexpr const char* kWhyKey = "not_available";

// Declared first, since they call each other.
template <class T>
Json written(const T& value);
template <class T>
Json written(const std::vector<T>& items);
template <class T>
Json written(const std::optional<T>& value);
template <class T>
Json written(const Told<T>& told);

template <class T>
Json written(const T& value) {
  if constexpr (is_plain<T>) {
    return value;
  } else {
    Json json = Json::object();
    fields(&value, [&](const char* key, auto member) {
      Json item = written(value.*member);
      if (!item.is_null()) json[key] = std::move(item);
    });
    return json;
  }
}

template <class T>
Json written(const std::vector<T>& items) {
  Json json = Json::array();
  for (const T& item : items) json.push_back(written(item));
  return json;
}

template <class T>
Json written(const std::optional<T>& value) {
  return value ? written(*value) : Json();
}

template <class T>
Json written(const Told<T>& told) {
  return told.value ? written(*told.value) : Json{{kWhyKey, told.why}};
}

/// Where a reader is, for messages.
struct Place {
  const std::string& path;
  std::string where;

  Place at(const std::string& key) const { return {path, where.empty() ? key : where + "." + key}; }
  [[noreturn]] void fail(const std::string& what) const { throw FileError(path, where, what); }
};

template <class T>
void read(const Json& json, const Place& place, T& to);
template <class T>
void read(const Json& json, const Place& place, std::vector<T>& to);
template <class T>
void read(const Json& json, const Place& place, std::optional<T>& to);
template <class T>
void read(const Json& json, const Place& place, Told<T>& to);

template <class T>
void read(const Json& json, const Place& place, T& to) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) place.fail("is not true or false");
    to = json.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    // Read as the widest, so that nothing is cut off.
    if (!json.is_number_unsigned()) place.fail("is not a whole number from 0 on");
    const auto number = json.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
      place.fail("is too large");
    }
    to = static_cast<T>(number);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) place.fail("is not a number");
    to = json.get<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) place.fail("is not a text");
    to = json.get<std::string>();
  } else {
    if (!json.is_object()) place.fail("is not an object");
    fields(&to, [&](const char* key, auto member) {
      read(json.value(key, Json()), place.at(key), to.*member);
    });
  }
}

template <class T>
void read(const Json& json, const Place& place, std::vector<T>& to) {
  if (!json.is_array()) place.fail("is not a list");
  for (std::size_t i = 0; i < json.size(); ++i) {
    read(json[i], place.at(std::to_string(i)), to.emplace_back());
  }
}

template <class T>
void read(const Json& json, const Place& place, std::optional<T>& to) {
  if (!json.is_null()) read(json, place, to.emplace());
}

template <class T>
void read(const Json& json, const Place& place, Told<T>& to) {
  if (json.is_object() && json.contains(kWhyKey)) {
    read(json[kWhyKey], place.at(kWhyKey), to.why);
  } else {
    read(json, place, to.value.emplace());
  }
}

void check_models(const Results& results, const Place& place) {
  for (std::size_t i = 0; i < results.points.size(); ++i) {
    const int model = results.points[i].model;
    if (static_cast<std::size_t>(model) >= results.models.size()) {
      place.at("points").at(std::to_string(i)).at("model").fail("there is no such model");
    }
  }
}

}  // namespace

std::string to_json(const Results& results) {
  Json json{{kFormatKey, kFormat}};
  json.update(written(results));
  return json_text(json);
}

Results from_json(const std::string& text, const std::string& path) {
  const Json json = Json::parse(text, nullptr, false);
  const Place place{path, ""};
  if (json.is_discarded()) place.fail("is no JSON");
  if (!json.is_object() || json.value(kFormatKey, Json()) != kFormat) {
    place.at(kFormatKey)
        .fail("is not " + std::to_string(kFormat) +
              ": not written by kinglet-bench model --json of this version");
  }
  Results results;
  read(json, place, results);
  check_models(results, place);
  return results;
}

}  // namespace kinglet::tools
