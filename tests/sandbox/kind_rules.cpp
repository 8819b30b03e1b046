#include "tests/sandbox/kind_rules.h"

#include <algorithm>

#include "lib/base/text.h"
#include "tests/sandbox/event_rules.h"

namespace keyturn::sandbox {
namespace {

constexpr std::size_t kMaxSecretBytes = 1024 * 1024;
constexpr std::size_t kMaxAnnotationBytes = 256 * 1024;

bool alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_subdomain(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  char before = '.';
  for (const char c : name) {
    const bool lower = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!lower && c != '-' && c != '.') return false;
    if (!lower && before == '.') return false;
    if (c == '.' && before == '-') return false;
    before = c;
  }
  return before != '-' && before != '.';
}

bool is_label_text(const std::string& text, bool may_be_empty) {
  if (text.empty()) return may_be_empty;
  if (text.size() > 63 || !alnum(text.front()) || !alnum(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_config_key(const std::string& key) {
  return !key.empty() && key.size() <= 253 && key != "." && !key.starts_with("..") &&
         std::all_of(key.begin(), key.end(),
                     [](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

void prepare_secret(Json& doc) {
  if (const Json& data = at(doc, "data"); data.is_object()) {
    for (const auto& [key, value] : data.items()) {
      if (!value.is_string() || !base64_decode(value.get_ref<const std::string&>())) {
        throw bad_request(
            "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data in data." +
            key);
      }
    }
  }
  if (const Json given = at(doc, "stringData"); given.is_object()) {
    for (const auto& [key, value] : given.items()) {
      if (!value.is_string())
        throw bad_request("Secret in version \"v1\" cannot be handled as a Secret: stringData." +
                          key);
      doc["data"][key] = base64(value.get_ref<const std::string&>());
    }
  }
  doc.erase("stringData");
  if (text_at(doc, "type").empty()) doc["type"] = "Opaque";
}

void check_secret_keys(const Json& doc, std::vector<ErrorCause>& causes) {
  const Json& data = at(doc, "data");
  const auto needs = [&](const char* key) {
    if (!data.is_object() || !data.contains(key)) {
      causes.push_back({"FieldValueRequired", "Required value", std::string("data[") + key + "]"});
    }
  };
  const std::string type = text_at(doc, "type");
  if (type == "kubernetes.io/tls") {
    needs("tls.crt");
    needs("tls.key");
  } else if (type == "kubernetes.io/dockerconfigjson") {
    needs(".dockerconfigjson");
    const auto config = base64_decode(text_at(data, ".dockerconfigjson"));
    if (data.is_object() && data.contains(".dockerconfigjson") &&
        !(config && Json::accept(*config))) {
      causes.push_back({"FieldValueInvalid",
                        "Invalid value: \"<secret contents redacted>\": invalid character",
                        "data[.dockerconfigjson]"});
    }
  } else if (type == "kubernetes.io/ssh-auth") {
    needs("ssh-privatekey");
  } else if (type == "kubernetes.io/basic-auth") {
    if (!data.is_object() || (!data.contains("username") && !data.contains("password"))) {
      needs("username");
      needs("password");
    }
  } else if (type == "kubernetes.io/service-account-token" &&
             text_at(doc, "metadata", "annotations", "kubernetes.io/service-account.name")
                 .empty()) {
    causes.push_back({"FieldValueRequired", "Required value",
                      "metadata.annotations[kubernetes.io/service-account.name]"});
  }
}

void check_secret(const Json& doc, const Json* live, std::vector<ErrorCause>& causes) {
  std::size_t bytes = 0;
  if (const Json& data = at(doc, "data"); data.is_object()) {
    for (const auto& [key, value] : data.items()) {
      if (!is_config_key(key)) {
        causes.push_back({"FieldValueInvalid",
                          "Invalid value: \"" + printable(key) +
                              "\": a valid config key must consist of alphanumeric "
                              "characters, '-', '_' or '.'",
                          "data[" + key + "]"});
      }
      bytes += value.get_ref<const std::string&>().size() / 4 * 3;
    }
  }
  if (bytes > kMaxSecretBytes) {
    causes.push_back({"FieldValueTooLong", "Too long: may not be more than 1048576 bytes", "data"});
  }
  check_secret_keys(doc, causes);
  if (!live) return;
  if (at(*live, "type") != at(doc, "type")) {
    causes.push_back({"FieldValueInvalid",
                      "Invalid value: " + at(doc, "type").dump() + ": field is immutable", "type"});
  }
  if (at(*live, "immutable") == true) {
    const char* why = "Forbidden: field is immutable when `immutable` is set";
    if (at(doc, "immutable") != true) causes.push_back({"FieldValueForbidden", why, "immutable"});
    if (at(*live, "data") != at(doc, "data"))
      causes.push_back({"FieldValueForbidden", why, "data"});
  }
}

void prepare_crd(Json& doc, const std::string& now) {
  Json& names = doc["spec"]["names"];
  if (text_at(names, "singular").empty()) names["singular"] = lower_ascii(text_at(names, "kind"));
  if (text_at(names, "listKind").empty()) names["listKind"] = text_at(names, "kind") + "List";
  if (at(doc, "spec", "conversion").is_null()) doc["spec"]["conversion"] = {{"strategy", "None"}};
  Json& status = doc["status"];
  status["acceptedNames"] = names;
  status["storedVersions"] = Json::array();
  for (const Json& version : at(doc, "spec", "versions")) {
    if (at(version, "storage") == true) status["storedVersions"].push_back(version["name"]);
  }
  if (at(status, "conditions").is_array()) return;
  const auto condition = [&](const char* type, const char* reason, const char* message) {
    return Json{{"type", type},
                {"status", "True"},
                {"reason", reason},
                {"message", message},
                {"lastTransitionTime", now}};
  };
  status["conditions"] = {
      condition("NamesAccepted", "NoConflicts", "no conflicts found"),
      condition("Established", "InitialNamesAccepted", "the initial names have been accepted")};
}

void check_crd(const Json& doc, std::vector<ErrorCause>& causes) {
  const std::string wanted =
      text_at(doc, "spec", "names", "plural") + "." + text_at(doc, "spec", "group");
  if (text_at(doc, "metadata", "name") != wanted) {
    causes.push_back({"FieldValueInvalid",
                      "Invalid value: " + at(doc, "metadata", "name").dump() +
                          ": must be spec.names.plural+\".\"+spec.group",
                      "metadata.name"});
  }
  for (const Json& version : at(doc, "spec", "versions")) {
    if (!at(version, "schema", "openAPIV3Schema").is_object()) {
      causes.push_back({"FieldValueRequired", "Required value: schemas are required",
                        "spec.versions.schema.openAPIV3Schema"});
    }
  }
}

void check_new_finalizers(const Json& doc, const Json& live, std::vector<ErrorCause>& causes) {
  if (at(live, "metadata", "deletionTimestamp").is_null()) return;
  const Json& before = at(live, "metadata", "finalizers");
  std::string added;
  for (const Json& finalizer : at(doc, "metadata", "finalizers")) {
    if (std::find(before.begin(), before.end(), finalizer) == before.end())
      added += (added.empty() ? "" : ", ") + finalizer.dump();
  }
  if (added.empty()) return;
  causes.push_back({"FieldValueForbidden",
                    "Forbidden: no new finalizers can be added if the object is being deleted, "
                    "found new finalizers []string{" +
                        added + "}",
                    "metadata.finalizers"});
}

void check_metadata(const Json& doc, std::vector<ErrorCause>& causes) {
  const Json& metadata = at(doc, "metadata");
  const std::string name = text_at(metadata, "name");
  // RBAC names may hold colons and the like; they only may not break paths.
  const bool loose = text_at(doc, "apiVersion").starts_with("rbac.");
  if (loose ? name.empty() || name.find('/') != std::string::npos : !is_subdomain(name)) {
    causes.push_back({"FieldValueInvalid",
                      "Invalid value: \"" + printable(name) +
                          "\": a lowercase RFC 1123 subdomain must consist of lower "
                          "case alphanumeric characters, '-' or '.', and must start and end with "
                          "an alphanumeric character",
                      "metadata.name"});
  }
  if (const Json& labels = at(metadata, "labels"); labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (!is_label_key(key) || !value.is_string() || !is_label_value(value.get<std::string>())) {
        causes.push_back({"FieldValueInvalid",
                          "Invalid value: \"" + printable(key) + "\": not a valid label",
                          "metadata.labels"});
      }
    }
  }
  std::size_t bytes = 0;
  if (const Json& annotations = at(metadata, "annotations"); annotations.is_object()) {
    for (const auto& [key, value] : annotations.items()) {
      if (!is_label_key(key) || !value.is_string()) {
        causes.push_back({"FieldValueInvalid",
                          "Invalid value: \"" + printable(key) + "\": not a valid annotation",
                          "metadata.annotations"});
      } else {
        bytes += key.size() + value.get_ref<const std::string&>().size();
      }
    }
  }
  if (bytes > kMaxAnnotationBytes) {
    causes.push_back({"FieldValueTooLong", "Too long: may not be more than 262144 bytes",
                      "metadata.annotations"});
  }
}

}  // namespace

Json empty_object(const Resource& resource) {
  Json out = Json::object();
  if (resource.custom) return out;
  for (const char* field : {"spec", "status"}) {
    if (resource.schema->declares(field)) out[field] = Json::object();
  }
  if (resource.storage() == "events") add_empty_fields(resource, out);
  return out;
}

void prepare_kind(const Resource& resource, Json& doc, const Json* live, const std::string& now) {
  const std::string storage = resource.storage();
  const Json empty = empty_object(resource);
  for (const auto& [field, value] : empty.items()) {
    if (!doc.contains(field)) doc[field] = value;
  }
  if (storage == "secrets") prepare_secret(doc);
  if (storage == "customresourcedefinitions.apiextensions.k8s.io") prepare_crd(doc, now);
  if (storage == "namespaces") {
    if (!live) doc["spec"]["finalizers"] = {"kubernetes"};
    if (!live) doc["status"] = {{"phase", "Active"}};
    doc["metadata"]["labels"]["kubernetes.io/metadata.name"] = doc["metadata"]["name"];
  }
}

void check_kind(const Resource& resource, const Json& doc, const Json* live,
                std::vector<ErrorCause>& causes) {
  check_metadata(doc, causes);
  if (live) check_new_finalizers(doc, *live, causes);
  const std::string storage = resource.storage();
  if (storage == "secrets") check_secret(doc, live, causes);
  if (storage == "customresourcedefinitions.apiextensions.k8s.io") check_crd(doc, causes);
  if (storage == "events") check_event(resource, doc, live, causes);
}

bool is_label_key(const std::string& key) {
  const std::size_t slash = key.find('/');
  if (slash == std::string::npos) return is_label_text(key, false);
  return is_subdomain(key.substr(0, slash)) && is_label_text(key.substr(slash + 1), false);
}
bool is_label_value(const std::string& text) { return is_label_text(text, true); }

}  // namespace keyturn::sandbox
