#include "tests/sandbox/api_error.h"

namespace keyturn::sandbox {
namespace {

// "deployments.apps" → plural and group.
void set_resource(ApiError& error, const std::string& resource, const std::string& name) {
  const std::size_t dot = resource.find('.');
  error.kind = resource.substr(0, dot);
  if (dot != std::string::npos) error.group = resource.substr(dot + 1);
  error.name = name;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

Json ApiError::status() const {
  Json out = {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Json::object()},
              {"status", "Failure"}, {"message", message}, {"reason", reason},
              {"code", code}};
  Json details = Json::object();
  if (!name.empty()) details["name"] = name;
  if (!group.empty()) details["group"] = group;
  if (!kind.empty()) details["kind"] = kind;
  if (!uid.empty()) details["uid"] = uid;
  if (retry_after_seconds) details["retryAfterSeconds"] = *retry_after_seconds;
  for (const ErrorCause& cause : causes) {
    Json entry = {{"reason", cause.reason}, {"message", cause.message}};
    if (!cause.field.empty()) entry["field"] = cause.field;
    details["causes"].push_back(std::move(entry));
  }
  if (generic || !details.empty()) out["details"] = std::move(details);
  if (reason.empty()) out.erase("reason");
  return out;
}

ApiError not_found(const std::string& resource, const std::string& name) {
  ApiError error(404, "NotFound", resource + " " + quoted(name) + " not found");
  set_resource(error, resource, name);
  return error;
}

ApiError already_exists(const std::string& resource, const std::string& name) {
  ApiError error(409, "AlreadyExists", resource + " " + quoted(name) + " already exists");
  set_resource(error, resource, name);
  return error;
}

ApiError conflict(const std::string& resource, const std::string& name, const std::string& why) {
  ApiError error(409, "Conflict",
                 "Operation cannot be fulfilled on " + resource + " " + quoted(name) + ": " + why);
  set_resource(error, resource, name);
  return error;
}

ApiError bad_request(const std::string& message) { return ApiError(400, "BadRequest", message); }

ApiError forbidden(const std::string& resource, const std::string& name, const std::string& why) {
  const std::string object = name.empty() ? resource : resource + " " + quoted(name);
  ApiError error(403, "Forbidden", object + " is forbidden: " + why);
  set_resource(error, resource, name);
  return error;
}

ApiError unauthorized() { return ApiError(401, "Unauthorized", "Unauthorized"); }

ApiError invalid_object(const std::string& kind_and_group, const std::string& name,
                        std::vector<ErrorCause> causes) {
  std::string list;
  for (const ErrorCause& cause : causes) {
    if (!list.empty()) list += ", ";
    list += (cause.field.empty() ? "" : cause.field + ": ") + cause.message;
  }
  if (causes.size() > 1) list = "[" + list + "]";
  ApiError error(422, "Invalid", kind_and_group + " " + quoted(name) + " is invalid: " + list);
  set_resource(error, kind_and_group, name);
  error.causes = std::move(causes);
  return error;
}

ApiError expired(const std::string& message) { return ApiError(410, "Expired", message); }

ApiError too_large_version(const std::string& asked, const std::string& current) {
  ApiError error(504, "Timeout", "Too large resource version: " + asked + ", current: " + current);
  error.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  error.retry_after_seconds = 1;
  return error;
}

ApiError method_not_allowed(const std::string& resource) {
  ApiError error(405, "MethodNotAllowed",
                 "the server does not allow this method on the requested resource");
  set_resource(error, resource, "");
  return error;
}

ApiError no_such_path() {
  return generic_error(404, "NotFound", "the server could not find the requested resource");
}

ApiError generic_error(int code, const std::string& reason, const std::string& message) {
  ApiError error(code, reason, message);
  error.generic = true;
  return error;
}

ApiError plain_error(const std::string& message) { return ApiError(500, "", message); }

}  // namespace keyturn::sandbox
