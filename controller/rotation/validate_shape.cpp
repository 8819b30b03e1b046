#include "controller/rotation/validate_shape.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "lib/base/suggest.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

using nlohmann::json;
using std::string_view;

constexpr std::array<string_view, 5> kSecretTypes{"Opaque", "kubernetes.io/basic-auth",
                                                  "kubernetes.io/dockerconfigjson",
                                                  "kubernetes.io/ssh-auth", "kubernetes.io/tls"};
constexpr std::array<string_view, 2> kDeletionPolicies{"Retain", "Delete"};

constexpr std::array<Field, 1> kSecretRef{
    {{.name = "name", .required = true, .min = 1, .max = 253}}};

constexpr std::array<Field, 4> kIdentity{{
    {.name = "serviceAccountName", .min = 1, .max = 253},
    {.name = "secretRef", .type = FieldType::Object, .children = kSecretRef},
    {.name = "roleArn", .min = 1, .max = 2048},
    {.name = "externalId", .min = 2, .max = 1224},
}};

constexpr std::array<Field, 7> kStrategy{{
    {.name = "astraToken", .type = FieldType::Options},
    {.name = "elasticacheUser", .type = FieldType::Options},
    {.name = "generic", .type = FieldType::Options},
    {.name = "influxdbToken", .type = FieldType::Options},
    {.name = "influxdbUser", .type = FieldType::Options},
    {.name = "lambda", .type = FieldType::Options},
    {.name = "syncOnly", .type = FieldType::Options},
}};

constexpr std::array<Field, 3> kSchedule{{
    {.name = "expression", .required = true, .min = 1, .max = 256},
    {.name = "timeZone", .min = 1, .max = 64},
    {.name = "window", .min = 2, .max = 16},
}};

constexpr std::array<Field, 2> kTargetMetadata{{
    {.name = "labels", .type = FieldType::Map, .max = 32, .value_max = 63},
    {.name = "annotations", .type = FieldType::Map, .max = 32, .value_max = 4096},
}};

constexpr std::array<Field, 6> kTarget{{
    {.name = "name", .required = true, .min = 1, .max = 253},
    {.name = "type", .fallback = "\"Opaque\"", .choices = kSecretTypes},
    {.name = "data", .type = FieldType::Map, .min = 1, .max = 64, .value_max = 16384},
    {.name = "metadata", .type = FieldType::Object, .children = kTargetMetadata},
    {.name = "deletionPolicy", .fallback = "\"Retain\"", .choices = kDeletionPolicies},
    {.name = "adopt", .type = FieldType::Flag, .fallback = "false"},
}};

constexpr std::array<string_view, 3> kRestarts{"None", "Auto", "Listed"};
constexpr std::array<string_view, 3> kWorkloadKinds{"Deployment", "StatefulSet", "DaemonSet"};
constexpr std::array<string_view, 2> kOnFailures{"Hold", "Rollback"};
constexpr std::array<string_view, 3> kRetireAfter{"Rollout", "Sync", "Immediately"};

constexpr std::array<Field, 2> kWorkload{{
    {.name = "kind", .required = true, .choices = kWorkloadKinds},
    {.name = "name", .required = true, .min = 1, .max = 253},
}};

constexpr std::array<Field, 5> kRollout{{
    {.name = "restart", .fallback = "\"None\"", .choices = kRestarts},
    {.name = "workloads", .type = FieldType::List, .min = 1, .max = 32, .children = kWorkload},
    {.name = "timeout", .fallback = "\"15m\"", .min = 2, .max = 16},
    {.name = "reloadsVolumes", .type = FieldType::Flag, .fallback = "false"},
    {.name = "onFailure", .fallback = "\"Hold\"", .choices = kOnFailures},
}};

constexpr std::array<Field, 2> kRetirement{{
    {.name = "after", .fallback = "\"Rollout\"", .choices = kRetireAfter},
    {.name = "gracePeriod", .fallback = "\"2h\"", .min = 2, .max = 16},
}};

constexpr std::array<Field, 10> kSpec{{
    {.name = "secretId", .required = true, .min = 1, .max = 2048},
    {.name = "region", .min = 1, .max = 32},
    {.name = "identity", .type = FieldType::Object, .children = kIdentity},
    {.name = "strategy", .type = FieldType::Object, .required = true, .children = kStrategy},
    {.name = "schedule", .type = FieldType::Object, .children = kSchedule},
    {.name = "suspend", .type = FieldType::Flag, .fallback = "false"},
    {.name = "refreshInterval", .fallback = "\"1h\"", .min = 2, .max = 16},
    {.name = "targets", .type = FieldType::List, .max = 16, .children = kTarget},
    {.name = "rollout", .type = FieldType::Object, .children = kRollout},
    {.name = "retirement", .type = FieldType::Object, .children = kRetirement},
}};

constexpr std::array<string_view, 4> kLaterStrategies{"elasticacheAuthToken", "postgres", "mysql",
                                                      "webhook"};

// Characters as the API server counts them: code points, not bytes.
std::int64_t characters(string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

std::string one_of_text(std::span<const string_view> choices) {
  std::string out = "must be one of ";
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i != 0) out += ", ";
    out += choices[i];
  }
  return out;
}

const char* wanted(FieldType type) {
  switch (type) {
    case FieldType::List:
      return "must be a list";
    case FieldType::Map:
      return "must be a map of texts";
    case FieldType::Text:
      return "must be a text; put it in quotes";
    case FieldType::Flag:
      return "must be true or false, without quotes";
    case FieldType::Object:
    case FieldType::Options:
      return "must be an object; write {} for an empty one";
  }
  return "";
}

bool has_type(const json& value, FieldType type) {
  switch (type) {
    case FieldType::List:
      return value.is_array();
    case FieldType::Text:
      return value.is_string();
    case FieldType::Flag:
      return value.is_boolean();
    case FieldType::Map:
    case FieldType::Object:
    case FieldType::Options:
      return value.is_object();
  }
  return false;
}

void check_text(const std::string& text, const Field& field, const std::string& path,
                Problems& problems) {
  const std::int64_t length = characters(text);
  if (length < field.min) {
    problems.add(path, field.min == 1
                           ? std::string("must not be empty")
                           : "must have at least " + std::to_string(field.min) + " characters");
  } else if (field.max != 0 && length > field.max) {
    problems.add(path, "has " + std::to_string(length) + " characters; at most " +
                           std::to_string(field.max) + " are allowed");
  }
  if (!field.choices.empty() &&
      std::find(field.choices.begin(), field.choices.end(), text) == field.choices.end()) {
    problems.add(path, one_of_text(field.choices) + did_you_mean(text, field.choices));
  }
}

void check_size(std::size_t size, const Field& field, const std::string& path, Problems& problems) {
  const auto count = static_cast<std::int64_t>(size);
  if (count < field.min) problems.add(path, "must not be empty; leave it out instead");
  if (field.max != 0 && count > field.max) {
    problems.add(path, "has " + std::to_string(count) + " entries; at most " +
                           std::to_string(field.max) + " are allowed");
  }
}

void check_map(const json& map, const Field& field, const std::string& path, Problems& problems) {
  check_size(map.size(), field, path, problems);
  for (const auto& [key, value] : map.items()) {
    const std::string entry = path + "[" + printable(key, 80) + "]";
    if (!value.is_string()) {
      problems.add(entry, wanted(FieldType::Text));
    } else if (const std::int64_t length = characters(value.get_ref<const std::string&>());
               length > field.value_max) {
      problems.add(entry, "has " + std::to_string(length) + " characters; at most " +
                              std::to_string(field.value_max) + " are allowed");
    }
  }
}

void check_object(const json& object, std::span<const Field> fields, const std::string& path,
                  Problems& problems);

void check_value(const json& value, const Field& field, const std::string& path,
                 Problems& problems) {
  if (!has_type(value, field.type)) return problems.add(path, wanted(field.type));
  switch (field.type) {
    case FieldType::Text:
      return check_text(value.get_ref<const std::string&>(), field, path, problems);
    case FieldType::Map:
      return check_map(value, field, path, problems);
    case FieldType::Object:
      return check_object(value, field.children, path, problems);
    case FieldType::List:
      check_size(value.size(), field, path, problems);
      for (std::size_t i = 0; i < value.size(); ++i) {
        const std::string item = path + "[" + std::to_string(i) + "]";
        if (!value[i].is_object()) {
          problems.add(item, wanted(FieldType::Object));
        } else {
          check_object(value[i], field.children, item, problems);
        }
      }
      return;
    case FieldType::Flag:
    case FieldType::Options:
      return;
  }
}

std::string unknown(const std::string& name, std::span<const Field> fields) {
  std::vector<string_view> names;
  for (const Field& field : fields) names.push_back(field.name);
  return "unknown field \"" + printable(name, 80) + "\"" + did_you_mean(name, names);
}

void check_object(const json& object, std::span<const Field> fields, const std::string& path,
                  Problems& problems) {
  // Which strategies there are is said by one rule of its own (validate_rules.h), in the words of
  // the CRD's.
  const bool names_are_ruled = fields.data() == kStrategy.data();
  for (const auto& entry : object.items()) {  // no structured binding: clang 14 cannot capture one
    const std::string& name = entry.key();
    const json& value = entry.value();
    const auto field =
        std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
    if (field == fields.end()) {
      if (!names_are_ruled) problems.add(path, problems.full() ? "" : unknown(name, fields));
      continue;
    }
    // As in the API server: null takes the default where there is one.
    if (value.is_null() && !field->fallback.empty()) continue;
    check_value(value, *field, path + "." + std::string(field->name), problems);
  }
  for (const Field& field : fields) {
    if (field.required && !object.contains(field.name)) {
      problems.add(path + "." + std::string(field.name), "is required");
    }
  }
}

}  // namespace

void Problems::add(string_view path, string_view text) {
  add(std::string(path) + ": " + std::string(text));
}

void Problems::add(std::string problem) {
  if (list_.size() == kMost) {
    ++more_;
    return;
  }
  list_.push_back(std::move(problem));
}

std::vector<std::string> Problems::list() const {
  std::vector<std::string> all = list_;
  if (more_ != 0) all.push_back("and " + std::to_string(more_) + " more problems");
  return all;
}

std::span<const Field> spec_fields() { return kSpec; }
std::span<const string_view> later_strategies() { return kLaterStrategies; }

void check_shape(const json& spec, Problems& problems) {
  if (!spec.is_object()) return problems.add("spec", wanted(FieldType::Object));
  check_object(spec, kSpec, "spec", problems);
}

}  // namespace keyturn::rotation
