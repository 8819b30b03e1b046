#include "lib/aws/secrets_manager_codec.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "lib/aws/secret_json.h"
#include "lib/base/text.h"
#include "lib/base/time.h"

namespace keyturn::aws {
namespace {

using Json = nlohmann::json;

// Thrown by the readers below and turned into a Result at this file's border (see decode()).
struct BadMember {
  std::string what;
};

const Json* member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) return "";
  if (!value->is_string()) throw BadMember{std::string(name) + " is not a string"};
  return value->get<std::string>();
}

std::string required_text(const Json& object, const char* name) {
  std::string value = text(object, name);
  if (value.empty()) throw BadMember{std::string(name) + " is missing"};
  return value;
}

bool flag(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) throw BadMember{std::string(name) + " is not a boolean"};
  return value->get<bool>();
}

std::optional<WallTime> time(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) throw BadMember{std::string(name) + " is not a number of seconds"};
  return from_epoch_seconds(value->get<double>());
}

std::set<std::string> labels(const Json* list, const char* name) {
  std::set<std::string> out;
  if (list == nullptr || list->is_null()) return out;
  if (!list->is_array()) throw BadMember{std::string(name) + " is not a list"};
  for (const Json& label : *list) {
    if (!label.is_string())
      throw BadMember{std::string(name) + " holds something else than a string"};
    out.insert(label.get<std::string>());
  }
  return out;
}

const Json& required_list(const Json& object, const char* name) {
  const Json* value = member(object, name);
  if (value == nullptr) throw BadMember{std::string(name) + " is missing"};
  if (!value->is_array()) throw BadMember{std::string(name) + " is not a list"};
  return *value;
}

// An element or reply that must be an object.
const Json& object(const Json& value, const char* name) {
  if (!value.is_object()) throw BadMember{std::string(name) + " is not an object"};
  return value;
}

StagesByVersion stages_by_version(const Json& from, const char* name) {
  StagesByVersion out;
  const Json* map = member(from, name);
  if (map == nullptr) return out;
  for (const auto& [id, list] : object(*map, name).items()) {
    // A version that just lost its last label may still be listed with none.
    if (auto stages = labels(&list, name); !stages.empty()) out.emplace(id, std::move(stages));
  }
  return out;
}

// DescribeSecret calls the label map VersionIdsToStages, ListSecrets SecretVersionsToStages.
SecretMetadata metadata(const Json& from, const char* stages_name) {
  SecretMetadata out;
  out.arn = required_text(from, "ARN");
  out.name = required_text(from, "Name");
  out.stages = stages_by_version(from, stages_name);
  out.rotation_enabled = flag(from, "RotationEnabled");
  out.rotation_lambda_arn = text(from, "RotationLambdaARN");
  out.owning_service = text(from, "OwningService");
  out.type = text(from, "Type");
  out.primary_region = text(from, "PrimaryRegion");
  out.created = time(from, "CreatedDate");
  out.last_changed = time(from, "LastChangedDate");
  out.last_rotated = time(from, "LastRotatedDate");
  out.next_rotation = time(from, "NextRotationDate");
  out.deleted = time(from, "DeletedDate");
  return out;
}

// Runs a reader over a parsed reply. The library's own messages are not passed on: they quote the
// text.
template <class Reader>
auto decode(const std::string& body, Reader read)
    -> Result<decltype(read(std::declval<const Json&>()))> {
  const auto bad = [](const std::string& why) {
    return make_error(ErrorClass::Transient, "BadReply",
                      "Secrets Manager's reply cannot be used: " + why);
  };
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return bad("it is not a JSON object");
  try {
    return read(json);
  } catch (const BadMember& member) {
    return bad(member.what);
  } catch (const Json::exception&) {
    return bad("a member has an unexpected type");
  }
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += out.empty() ? '{' : ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

Status check_version(const std::string& secret, const SecretString& value,
                     const std::string& version_id) {
  constexpr std::size_t kMaxValue = 65536;
  const std::string which = printable(secret) + ": ";
  if (value.empty()) return invalid("EmptyValue", which + "Secrets Manager stores no empty value");
  if (value.size() > kMaxValue) {
    return invalid("ValueTooLarge", which + "the new value has " + std::to_string(value.size()) +
                                        " bytes, Secrets Manager stores at most 65536");
  }
  if (!is_utf8(value.reveal())) {
    return invalid("ValueNotUtf8", which + "the new value is not valid UTF-8 text");
  }
  if (version_id.size() < 32 || version_id.size() > 64) {
    return invalid("BadVersionId", which + "a version id has 32 to 64 characters");
  }
  return {};
}

Status check_put(const PutSecretValueRequest& request) {
  const std::string which = printable(request.secret_id) + ": ";
  auto checked = check_version(request.secret_id, request.value, request.client_request_token);
  if (!checked) return checked;
  if (request.stages.empty()) {
    return invalid("NoStages", which + "a put without labels would take AWSCURRENT at once");
  }
  return {};
}

}  // namespace

Result<SecretMetadata> decode_describe(const std::string& body) {
  return decode(body, [](const Json& json) { return metadata(json, "VersionIdsToStages"); });
}

Result<SecretValue> decode_get_value(std::string& body) {
  auto string = cut_string_member(body, "SecretString");
  auto binary = cut_string_member(body, "SecretBinary");
  Result<SecretValue> out = [&]() -> Result<SecretValue> {
    if (!string) return string.error();
    if (!binary) return binary.error();
    auto value = decode(body, [](const Json& json) {
      SecretValue v;
      v.arn = required_text(json, "ARN");
      v.name = text(json, "Name");
      v.version_id = required_text(json, "VersionId");
      v.stages = labels(member(json, "VersionStages"), "VersionStages");
      v.created = time(json, "CreatedDate");
      return v;
    });
    if (!value) return value;
    if (!*string && !*binary) {
      return make_error(ErrorClass::Transient, "BadReply",
                        "Secrets Manager's reply has neither SecretString nor SecretBinary");
    }
    value->binary = !*string;
    if (*string) value->value = std::move(**string);
    return value;
  }();
  cleanse(body);
  return out;
}

Result<ListSecretsPage> decode_list(const std::string& body) {
  return decode(body, [](const Json& json) {
    ListSecretsPage page;
    for (const Json& entry : required_list(json, "SecretList")) {
      page.secrets.push_back(metadata(object(entry, "SecretList[]"), "SecretVersionsToStages"));
    }
    page.next_token = text(json, "NextToken");
    return page;
  });
}

Result<VersionsPage> decode_list_versions(const std::string& body) {
  return decode(body, [](const Json& json) {
    VersionsPage page;
    for (const Json& entry : required_list(json, "Versions")) {
      VersionInfo version;
      version.id = required_text(object(entry, "Versions[]"), "VersionId");
      version.stages = labels(member(entry, "VersionStages"), "VersionStages");
      version.created = time(entry, "CreatedDate");
      page.versions.push_back(std::move(version));
    }
    page.next_token = text(json, "NextToken");
    return page;
  });
}

Result<std::string> decode_put_value(const std::string& body) {
  return decode(body, [](const Json& json) { return required_text(json, "VersionId"); });
}

Result<std::string> encode_put_value(const PutSecretValueRequest& request) {
  if (Status s = check_put(request); !s) return s.error();
  std::string out;
  out.reserve(json_string_room(request.value.reveal()) + json_string_room(request.secret_id) +
              32 * (request.stages.size() + 8) + 6 * (256 * request.stages.size() + 512));
  append_member(out, "SecretId", request.secret_id);
  append_member(out, "ClientRequestToken", request.client_request_token);
  append_member(out, "SecretString", request.value.reveal());
  if (!request.rotation_token.empty()) append_member(out, "RotationToken", request.rotation_token);
  out += ",\"VersionStages\":[";
  bool first = true;
  for (const std::string& stage : request.stages) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, stage);
  }
  out += "]}";
  return out;
}

Result<std::string> encode_create_secret(const CreateSecretRequest& request) {
  auto checked = check_version(request.name, request.value, request.client_request_token);
  if (!checked) return std::move(checked).error();
  std::string out;
  std::size_t room = 256;
  for (const std::string_view text :
       {std::string_view(request.name), std::string_view(request.description),
        std::string_view(request.kms_key_id), request.value.reveal()})
    room += json_string_room(text);
  out.reserve(room);
  append_member(out, "Name", request.name);
  append_member(out, "ClientRequestToken", request.client_request_token);
  if (!request.description.empty()) append_member(out, "Description", request.description);
  if (!request.kms_key_id.empty()) append_member(out, "KmsKeyId", request.kms_key_id);
  append_member(out, "SecretString", request.value.reveal());
  out += '}';
  return out;
}

Result<std::string> decode_created(const std::string& body) {
  return decode(body, [](const Json& json) { return required_text(json, "ARN"); });
}

Result<WallTime> decode_deleted(const std::string& body) {
  return decode(body, [](const Json& json) {
    const auto when = time(json, "DeletionDate");
    if (!when) throw BadMember{"DeletionDate is missing"};
    return *when;
  });
}

}  // namespace keyturn::aws
