// AWS Secrets Manager in memory, strict about what the service is strict about: labels move by
// compare-and-swap, versions without labels are not described, a version id holds one value for
// ever.
//
// Operations take and give the JSON of the wire; refusals are thrown as AwsError. What only a test
// may do (rotate by another hand, mark as owned by a service, read state without IAM) has methods
// of its own.
//
// Thread rule: any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "tests/sandbox/aws_accounts.h"
#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

struct SecretVersion {
  std::string id;
  std::optional<std::string> text;    // SecretString
  std::optional<std::string> binary;  // SecretBinary, base64 as sent
  std::set<std::string> labels;
  WallTime created;
  std::uint64_t order = 0;   // of creation
  bool by_rotation = false;  // put with the RotationToken of a rotation by AWS

  bool has_value() const { return text || binary; }
};

struct StoredSecret {
  std::string arn, name, description, kms_key_id, account, region;
  std::string owning_service, type, primary_region, lambda_arn;
  std::string rotation_token;  // of the rotation by AWS that is under way
  bool rotation_enabled = false;
  Json rotation_rules;
  std::map<std::string, std::string> tags;
  WallTime created, changed;
  std::optional<WallTime> accessed, rotated, deleted;
  std::map<std::string, SecretVersion> versions;
  std::uint64_t stale_reads = 0;  // DescribeSecret still to be answered with `stale_view`
  Json stale_view;
  std::vector<std::pair<WallTime, Json>> listed;  // what ListSecrets says from when on (with a lag)

  const SecretVersion* holder(const std::string& label) const;
};

// A rotation that RotateSecret has just begun.
struct RotationStart {
  std::string secret_arn, version_id, lambda_arn, rotation_token;
};

class SecretsManager {
 public:
  SecretsManager(const Clock& clock, std::uint64_t seed);

  struct Caller {
    Principal principal;
    std::string region;
  };
  // One signed and parsed request. Throws AwsError.
  Json call(const std::string& operation, const Json& input, const Caller& caller);

  // Who carries rotations out; called under the lock, so it may only note what to do.
  void on_rotate(std::function<void(const RotationStart&)> start) { on_rotate_ = std::move(start); }

  // --- for tests, without IAM ---
  // Creates a secret and returns its ARN. The version id is made up.
  std::string create(const std::string& name, const std::string& value,
                     const std::string& region = "eu-west-1");
  std::string create_binary(const std::string& name, const std::string& bytes,
                            const std::string& region = "eu-west-1");
  // A new current version by somebody else's hand; returns its id.
  std::string put(const std::string& id, const std::string& value,
                  const std::vector<std::string>& labels = {});
  std::optional<StoredSecret> get(const std::string& id) const;  // name or ARN
  std::optional<std::string> value(const std::string& id,
                                   const std::string& label = "AWSCURRENT") const;
  void edit(const std::string& id, const std::function<void(StoredSecret&)>& change);
  std::vector<std::string> names() const;
  void clear();

  // --- how it misbehaves ---
  void set_stale_describes(
      std::uint64_t calls);  // after every write, so many DescribeSecret see the past
  void set_list_lag(Duration lag);
  void set_honour_sort(bool honour);
  void set_empty_pages(bool on);  // every ListSecrets page but the last is preceded by an empty one

 private:
  using Secrets = std::map<std::string, StoredSecret>;  // by ARN

  // Reading.
  Json describe(const Json& input, const Caller& caller);
  Json get_value(const Json& input, const Caller& caller);
  Json batch_get(const Json& input, const Caller& caller);
  Json list(const Json& input, const Caller& caller);
  Json list_versions(const Json& input, const Caller& caller);
  Json random_password(const Json& input);
  // Writing.
  Json create_secret(const Json& input, const Caller& caller);
  Json put_value(const Json& input, const Caller& caller);
  Json update_secret(const Json& input, const Caller& caller);
  Json update_stage(const Json& input, const Caller& caller);
  Json delete_secret(const Json& input, const Caller& caller);
  Json restore_secret(const Json& input, const Caller& caller);
  Json rotate_secret(const Json& input, const Caller& caller);
  Json cancel_rotation(const Json& input, const Caller& caller);
  Json tag(const Json& input, const Caller& caller);
  Json untag(const Json& input, const Caller& caller);

  StoredSecret* find(const std::string& id, const std::string& account, const std::string& region);
  StoredSecret& need(const Json& input, const Caller& caller, const char* action,
                     bool even_deleted = false);
  StoredSecret& need_writable(const Json& input, const Caller& caller, const char* action);
  void permit(const Caller& caller, const std::string& action,
              const std::vector<std::string>& names) const;
  StoredSecret& add_secret(const std::string& name, const std::string& account,
                           const std::string& region);
  SecretVersion& add_version(StoredSecret& secret, const std::string& id);
  void attach(StoredSecret& secret, const std::string& label, SecretVersion& version);
  void touch(StoredSecret& secret);
  void will_change(StoredSecret& secret);
  Json view(const StoredSecret& secret, bool in_list) const;
  bool shows(const StoredSecret& secret, const Json& input, Json& entry) const;

  const Clock& clock_;
  std::function<void(const RotationStart&)> on_rotate_;
  mutable std::mutex mutex_;
  SystemRng rng_;
  SeededRng seeded_;
  Secrets secrets_;
  std::map<std::string, std::string> arn_by_name_;  // account/region/name
  std::uint64_t next_order_ = 1;
  std::uint64_t stale_describes_ = 0;
  Duration list_lag_{0};
  bool honour_sort_ = true;
  bool empty_pages_ = false;
};

// GetRandomPassword over the given input. Throws AwsError.
std::string make_random_password(const Json& input, Rng& rng);

}  // namespace keyturn::sandbox
