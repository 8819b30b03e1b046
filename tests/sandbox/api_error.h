// A refusal of the Kubernetes API, thrown where it is found out and turned into a Status object (or
// an ERROR event) in one place. Shapes follow apimachinery's api/errors package.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

struct ErrorCause {
  std::string reason;  // FieldValueInvalid, FieldManagerConflict, …
  std::string message;
  std::string field;
};

class ApiError final : public std::exception {
 public:
  ApiError(int http_code, std::string why, std::string text)
      : code(http_code), reason(std::move(why)), message(std::move(text)) {}

  const char* what() const noexcept override { return message.c_str(); }
  // metav1.Status
  Json status() const;

  int code;
  std::string reason;
  std::string message;
  std::string group, kind, name, uid;  // details, when known; `kind` is the resource's plural
  bool generic = false;                // made from a status code: has details that say nothing
  std::vector<ErrorCause> causes;
  std::optional<int> retry_after_seconds;
};

// Why an update with an old resourceVersion is refused.
inline constexpr const char* kObjectModified =
    "the object has been modified; please apply your changes to the latest version and try again";

// `resource` is "secrets" or "deployments.apps" (plural with group).
ApiError not_found(const std::string& resource, const std::string& name);
ApiError already_exists(const std::string& resource, const std::string& name);
ApiError conflict(const std::string& resource, const std::string& name, const std::string& why);
ApiError bad_request(const std::string& message);
ApiError forbidden(const std::string& resource, const std::string& name, const std::string& why);
ApiError unauthorized();
ApiError invalid_object(const std::string& kind_and_group, const std::string& name,
                        std::vector<ErrorCause> causes);
ApiError expired(const std::string& message);  // 410 reason Expired
ApiError too_large_version(const std::string& asked, const std::string& current);  // 504
ApiError method_not_allowed(const std::string& resource);
ApiError no_such_path();
// A refusal by HTTP status alone (NewGenericServerResponse, and what the router answers itself).
ApiError generic_error(int code, const std::string& reason, const std::string& message);
// An error inside the server that is no Status: 500 without a reason.
ApiError plain_error(const std::string& message);

}  // namespace keyturn::sandbox
