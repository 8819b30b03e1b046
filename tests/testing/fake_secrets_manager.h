// AWS Secrets Manager in memory, strict about labels: PutSecretValue attaches its labels atomically
// and is idempotent by version id (a repeated put with the same value changes nothing, not even
// labels), UpdateSecretVersionStage is a compare-and-swap, AWSPREVIOUS follows AWSCURRENT, versions
// without labels are not described, a placeholder has a version but no value.
//
// Faults: `fault` is asked before and after each request. Reads may be stale: `staleness` says how
// many changes back a describe looks. Thread rule: any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/aws/secrets_admin.h"
#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"

namespace keyturn::testing {

class FakeSecretsManager final : public aws::SecretsManager, public aws::SecretsAdmin {
 public:
  explicit FakeSecretsManager(Clock& clock) : clock_(clock) {}

  struct Version {
    std::string value;
    bool has_value = true;
    bool binary = false;
    WallTime created{};
  };
  struct Secret {
    aws::SecretMetadata metadata;  // stages: also of versions without a value
    std::map<std::string, Version> versions;
    std::vector<aws::SecretMetadata> history;  // before each change, oldest first, at most 16
  };
  struct Call {
    std::string operation;  // "DescribeSecret"…
    std::string secret_id;
    std::string version_id;
    std::string stage;
  };
  enum class When { Before, After };  // After: it was carried out, the reply is lost
  using Fault = std::function<std::optional<Error>(const Call&, When)>;

  // People and AWS, never failing. Version ids are chosen here ("person-1"…) unless given.
  std::string add_secret(const std::string& name, const std::string& value,
                         const std::string& region = "eu-west-1");
  std::string put_as_person(const std::string& arn, const std::string& value,
                            const std::string& stage = "AWSCURRENT");
  void put_binary(const std::string& arn);
  void add_placeholder(const std::string& arn,
                       const std::string& version_id);  // RotateSecret's AWSPENDING without a value
  void move_label(const std::string& arn, const std::string& label,
                  const std::string& to);  // "" drops it
  void edit(const std::string& arn, const std::function<void(Secret&)>& change);
  Secret secret(const std::string& arn) const;
  std::string holder(const std::string& arn, const std::string& label) const;
  std::optional<std::string> value_of(const std::string& arn, const std::string& version_id) const;
  WallTime created_of(const std::string& arn, const std::string& version_id) const;
  aws::StagesByVersion stages(const std::string& arn) const;
  std::optional<std::string> value_at(const std::string& arn, const std::string& label) const;
  void remove(const std::string& arn);      // as ForceDeleteWithoutRecovery
  void set_page_size(std::size_t secrets);  // of ListSecrets; 100 unless set
  void set_honour_order(bool honoured);     // false: by ARN, whatever was asked for
  void purge(const std::string& arn);       // versions without labels, older than a day

  void set_fault(Fault fault);
  void set_staleness(std::function<std::size_t()> changes_back);
  std::vector<Call> calls() const;
  void forget_calls();

  Result<aws::SecretMetadata> describe(const std::string& secret_id) override;
  Result<aws::SecretValue> get_value(const std::string& secret_id, const std::string& version_id,
                                     const std::string& stage = "") override;
  Result<std::vector<aws::VersionInfo>> list_versions(const std::string& secret_id,
                                                      bool include_deprecated) override;
  Result<aws::ListSecretsPage> list(const aws::ListSecretsRequest& request) override;
  Status put_value(const aws::PutSecretValueRequest& request) override;
  Status update_stage(const aws::UpdateStageRequest& request) override;
  Status rotate_secret(const aws::RotateSecretRequest& request) override;  // the placeholder only
  Result<std::string> create_secret(const aws::CreateSecretRequest& request) override;
  Result<WallTime> delete_secret(const aws::DeleteSecretRequest& request) override;

 private:
  std::optional<Error> enter(const Call& call);  // counts it, asks `fault`
  std::optional<Error> leave(const Call& call);
  Secret* find_locked(const std::string& secret_id);
  const Secret* find_locked(const std::string& secret_id) const;
  void changing_locked(Secret& secret);
  Status put_locked(Secret& secret, const aws::PutSecretValueRequest& request);
  Status update_stage_locked(Secret& secret, const aws::UpdateStageRequest& request);

  Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Secret> secrets_;  // by ARN
  int people_ = 0;
  Fault fault_;
  std::function<std::size_t()> staleness_;
  std::vector<Call> calls_;
  std::size_t page_size_ = 100;
  bool honour_order_ = true;
};

}  // namespace keyturn::testing
