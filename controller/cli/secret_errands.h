// What the `keyturn secret` commands that change something do, apart from flags and printing.
// Thread rule: one thread. Errors: Invalid with the reason in `code`, and those of drive().
#pragma once

#include <functional>
#include <string>

#include "controller/cli/secret_drive.h"
#include "lib/aws/secrets_admin.h"
#include "lib/base/result.h"
#include "lib/engine/plan.h"

namespace keyturn::cli {

// AWS keeps every version for a day, and about a hundred of them.
inline constexpr Duration kMinRotationInterval{900'000};

// Invalid "MinRotationInterval": the last one began too short a while ago. Asks
// ListSecretVersionIds.
Status may_start_rotation(Alone& alone, const engine::View& view, bool force);

struct Rotated {
  std::string arn;
  std::string version_id;      // current now
  std::string before;          // current when the command began
  std::string old_credential;  // the version whose credential waits to be revoked; "" for none
  bool was_under_way = false;  // an earlier run had begun it
};

// One rotation to its end: the one that is under way, else a new one. The old credential stays,
// except one that an earlier rotation left: it is revoked before the new version is made.
// `force` passes the shortest interval between two rotations.
Result<Rotated> rotate_alone(Alone& alone, bool force);

struct Stepped {
  std::string arn;
  std::string version_id;
  std::string note;
};

// One of createSecret, setSecret, testSecret, finishSecret. What is already done is success; what
// has another turn is Invalid "NotItsTurn", saying what comes next.
Result<Stepped> step_alone(Alone& alone, engine::Step step, bool force);

// Whether a step may work on this secret: its name and ARN as AWS says them.
using Allowed = std::function<Status(const aws::SecretMetadata& secret)>;
// The same as AWS's rotation function: AWS chose the version, and may call each step again at any
// time. What an earlier rotation replaced is revoked by createSecret, after quiet. `allowed` is
// asked first. Invalid "RotationNotEnabled"; "NotPending", "NotCreated" and others of the plan.
Result<Stepped> step_alone(Alone& alone, const engine::LambdaCall& call, const Allowed& allowed);

// "createSecret"…; Invalid "UnknownStep".
Result<engine::Step> step_named(const std::string& name);
// Invalid "NoSteps": AWS or somebody else rotates.
Status has_steps(const engine::Strategy& strategy);

struct Released {
  std::string arn;
  std::string version_id;  // "" when there was nothing to do
  std::string note;
};

// Revokes the credential of the version that the last rotation replaced, after quiet.
Result<Released> retire_alone(Alone& alone);
// Gives the attempt under way up: what was minted for it is revoked, the current version stays. A
// forward-only backend is asked first which value works, and may go forward instead.
Result<Released> abandon_alone(Alone& alone);
// Takes KEYTURN_BATON, and AWSPENDING with it, off versions that a strategy with a backend left,
// for somebody who has that strategy no more; its credentials stay valid. Invalid "NotForeign":
// this strategy has a backend itself.
Result<Released> release_foreign(Alone& alone);
// Takes AWSPENDING off exactly this version. Invalid "MadeByKeyturn": that is abandon's.
Result<Released> discard_pending(aws::SecretsManager& secrets, const std::string& secret_id,
                                 const std::string& version_id);

struct NewSecret {
  std::string name;
  SecretString value;  // what the strategy starts from; "" where it makes the whole value
  std::string description, kms_key_id;
};
struct Created {
  std::string arn;
  std::string version_id;  // current
  std::string note;
};
// Creates the secret. A strategy without a backend makes its fields first; where the backend holds
// several credentials and the value has none that works, one is minted by a rotation at once.
Result<Created> create_alone(Alone& alone, aws::SecretsAdmin& admin, const NewSecret& wanted);

struct Deleted {
  std::string arn;
  std::string note;  // what became of the credentials
  WallTime when{};   // until then it can be restored
};
// Revokes what waits to be revoked, then the current credential, then deletes the secret. Unless
// `keep_credential`: Invalid "CredentialKept" where the backend still accepts it, or nobody can
// revoke it; the secret is then still there.
Result<Deleted> delete_alone(Alone& alone, aws::SecretsAdmin& admin, int recovery_days,
                             bool keep_credential);

}  // namespace keyturn::cli
