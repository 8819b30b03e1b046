// The world of the seeded simulation: AWS, a backend, a cluster, and people, on a schedule
// (sim_schedule.h). Thread rule: whoever holds the turn may touch everything.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/engine/engine.h"
#include "tests/simulation/sim_backend.h"
#include "tests/simulation/sim_cluster.h"
#include "tests/simulation/sim_schedule.h"
#include "tests/testing/fake_secrets_manager.h"

namespace keyturn::simulation {

class SimWorld final : public Schedule, public aws::SecretsManager {
 public:
  SimWorld(Kind kind, std::uint64_t seed, bool trace);
  // The real strategy and its readers, begun like that, with adversities placed.
  SimWorld(const Setup& setup, Placements& placed, bool trace);

  void said(const std::string& text) override;

  // --- what leaders see and do beside AWS and the backend ---
  SimCluster& cluster() { return *cluster_; }
  bool rotation_due() const;  // a rotation was asked for after the current version was made
  std::string rollback_of() const { return rollback_of_; }
  void rollback_answered() { rollback_of_.clear(); }

  Kind kind() const { return kind_; }
  SimBackend& backend() { return *backend_; }
  const std::string& arn() const { return arn_; }
  int finished() const { return finished_; }

  // --- aws::SecretsManager, through the schedule ---
  Result<aws::SecretMetadata> describe(const std::string& secret_id) override;
  Result<aws::SecretValue> get_value(const std::string& secret_id, const std::string& version_id,
                                     const std::string& stage = "") override;
  Result<std::vector<aws::VersionInfo>> list_versions(const std::string& secret_id,
                                                      bool include_deprecated) override;
  Result<aws::ListSecretsPage> list(const aws::ListSecretsRequest& request) override;
  Status put_value(const aws::PutSecretValueRequest& request) override;
  Status update_stage(const aws::UpdateStageRequest& request) override;
  Status rotate_secret(const aws::RotateSecretRequest& request) override {
    return rotate_secret(request.client_request_token);
  }

 private:
  SimWorld(Kind kind, std::uint64_t seed, bool trace, const Setup* setup, Placements* placed);
  bool act(Act what) override;
  void others_act() override;
  void check() override;
  std::string unrest() const override;
  bool waits_for_person() const override;
  std::string left_over(const std::string& current) const;
  void becoming_calm() override;
  void resting(Rest rest) override;

  Status rotate_secret(const std::string& version_id);  // AWS's RotateSecret, for Delegated
  void aws_rotates();                                   // its function takes a step
  void ask_for_rotation();
  void people();
  template <typename Deed>
  bool by_a_person(const Deed& deed);
  bool act_on_labels(Act what);
  void saved_by_person(const std::string& credential, const std::string& others);
  void person_moves(std::string_view label, const std::string& to);

  std::string holder(std::string_view label) const { return aws_.holder(arn_, std::string(label)); }
  std::string value_of(const std::string& version) const {
    return aws_.value_of(arn_, version).value_or("");
  }
  bool works(const std::string& version) const {  // its credential does, now
    return !version.empty() && aws_.value_of(arn_, version) && backend_->accepts(value_of(version));
  }
  bool some_label_works() const;
  bool two_credentials() const {
    return kind_ == Kind::Minting || kind_ == Kind::SoftMinting || kind_ == Kind::InfluxdbToken;
  }

  const Kind kind_;
  const Setup setup_;
  testing::FakeSecretsManager aws_;
  std::string arn_;
  std::unique_ptr<SimBackend> backend_;
  std::unique_ptr<SimCluster> cluster_;

  int asked_ = 0, finished_ = 0;
  WallTime asked_at_{};
  std::string rollback_of_;
  int meddled_ = 0, wrong_ = 0, names_ = 0;
  bool latest_dropped_ = false;
  WallTime changed_by_hand_{};  // the last change of the labels that a person made
  MonoTime current_moved_{};    // when a person last moved AWSCURRENT
  int confirming_ = 0;          // leaders between their last look and a revocation
  std::string others_ = "0";    // a person's last word about the other fields
  int aws_step_ = 0;
  std::string aws_version_;
};

}  // namespace keyturn::simulation
