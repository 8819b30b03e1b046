// AWS Secrets Manager as the engine sees it: an abstract client, so that the simulation can stand
// in. Operations and fields are AWS's (API version 2017-10-17), reduced to what Keyturn uses.
//
// Errors: class by AWS error code, never by HTTP status; Error::code is AWS's code
// (ResourceNotFoundException → NotFound; ResourceExistsException → Conflict; AccessDeniedException,
// expired or unknown keys → Denied; InvalidRequestException, InvalidParameterException,
// ValidationException, Decryption/EncryptionFailure, LimitExceededException → Invalid; throttles →
// Throttled; InternalServiceError, 5xx, sockets → Transient). A Transient error of a write means:
// outcome unknown. Also when a later try was refused for another reason (throttled, denied…) while
// an earlier one may have been carried out; only Conflict keeps its class then.
//
// Writes carry `not_after`, the monotonic time up to which the view they were planned from may be
// acted on. It is looked at directly before each try, retries included. Too late for the first try:
// Unavailable "ViewTooOld", nothing was sent. Too late for a retry: the error of the last try that
// was sent.
//
// Thread rule: implementations may be called from any thread; each call blocks with a deadline.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::aws {

// Staging labels by version id: VersionIdsToStages / SecretVersionsToStages.
using StagesByVersion = std::map<std::string, std::set<std::string>>;

// DescribeSecret, and the entries of ListSecrets (which lack replication status).
struct SecretMetadata {
  std::string arn;
  std::string name;
  StagesByVersion stages;  // only versions that carry a label
  bool rotation_enabled = false;
  std::string rotation_lambda_arn;
  std::string owning_service;  // set: an AWS service owns it
  std::string type;            // set: a partner's managed external secret
  std::string primary_region;  // set and different from ours: a replica
  std::optional<WallTime> created;
  std::optional<WallTime> last_changed;
  std::optional<WallTime> last_rotated;
  std::optional<WallTime> next_rotation;
  std::optional<WallTime> deleted;  // set: awaiting deletion
  friend bool operator==(const SecretMetadata&, const SecretMetadata&) = default;
};

struct SecretValue {
  std::string arn;
  std::string name;
  std::string version_id;
  SecretString value;   // SecretString; empty when binary
  bool binary = false;  // SecretBinary: Keyturn refuses these
  std::set<std::string> stages;
  std::optional<WallTime> created;
};

struct VersionInfo {  // ListSecretVersionIds
  std::string id;
  std::set<std::string> stages;
  std::optional<WallTime> created;
};

struct ListSecretsRequest {
  bool newest_first = true;  // SortBy last-changed-date, SortOrder desc
  bool include_planned_deletion = true;
  std::string next_token;
  int max_results = 100;
};
struct ListSecretsPage {
  std::vector<SecretMetadata> secrets;
  std::string next_token;  // empty: the last page (an empty page may have one)
};

struct PutSecretValueRequest {
  std::string secret_id;
  std::string
      client_request_token;  // becomes the version id; same id + same value again is a success
  SecretString value;
  std::set<std::string>
      stages;  // taken from other versions atomically; empty means AWSCURRENT: never do that
  std::string rotation_token;         // Lambda form only
  std::optional<MonoTime> not_after;  // see above
};

// UpdateSecretVersionStage: a compare-and-swap on one label's holder. Losing it is
// InvalidParameterException or InvalidRequestException: the implementation maps both to Conflict
// here.
struct UpdateStageRequest {
  std::string secret_id;
  std::string stage;
  std::string remove_from;            // empty: nobody holds it
  std::string move_to;                // empty: only removed
  std::optional<MonoTime> not_after;  // see above
};

// RotateSecret at once, by the function and the rules that the secret has. The token becomes the
// version's id.
struct RotateSecretRequest {
  std::string secret_id;
  std::string client_request_token;
  std::optional<MonoTime> not_after;  // see above
};

class SecretsManager {
 public:
  virtual ~SecretsManager() = default;

  virtual Result<SecretMetadata> describe(const std::string& secret_id) = 0;
  // By version id, or by stage when the id is empty. NotFound covers a placeholder without a value.
  virtual Result<SecretValue> get_value(const std::string& secret_id, const std::string& version_id,
                                        const std::string& stage = "") = 0;
  // ListSecretVersionIds, all pages.
  virtual Result<std::vector<VersionInfo>> list_versions(const std::string& secret_id,
                                                         bool include_deprecated) = 0;
  virtual Result<ListSecretsPage> list(const ListSecretsRequest& request) = 0;
  // Conflict (ResourceExistsException): the id holds another value.
  virtual Status put_value(const PutSecretValueRequest& request) = 0;
  virtual Status update_stage(const UpdateStageRequest& request) = 0;
  // Begins only: AWS rotates in its own time. Conflict: it is at it already.
  virtual Status rotate_secret(const RotateSecretRequest& request) = 0;
};

}  // namespace keyturn::aws
