#include "tests/simulation/sim_world.h"

#include <algorithm>

#include "tests/simulation/sim_life.h"

namespace keyturn::simulation {

SimWorld::SimWorld(Kind kind, std::uint64_t seed, bool trace)
    : SimWorld(kind, seed, trace, nullptr, nullptr) {}

SimWorld::SimWorld(const Setup& setup, Placements& placed, bool trace)
    : SimWorld(Kind::InfluxdbToken, 1, trace, &setup, &placed) {}

SimWorld::SimWorld(Kind kind, std::uint64_t seed, bool trace, const Setup* setup,
                   Placements* placed)
    : Schedule(seed, trace, placed),
      kind_(kind),
      setup_(setup != nullptr              ? *setup
             : kind == Kind::InfluxdbToken ? draw_setup(rng_)
                                           : Setup{}),
      aws_(clock_) {
  arn_ = aws_.add_secret("shop/orders", "to come");
  backend_ = make_backend(
      kind,
      {.schedule = *this,
       .clock = clock_,
       .arn = arn_,
       .setup = setup_,
       .confirming = confirming_,
       .wrong = wrong_,
       .rotate_secret = [this](const std::string& version) { return rotate_secret(version); },
       .secrets = *this,
       .add_secret = [this](const std::string& name,
                            const std::string& value) { return aws_.add_secret(name, value); }});
  const SimCluster::Current first{holder(engine::kCurrent), backend_->first_value()};
  aws_.edit(arn_, [&](testing::FakeSecretsManager::Secret& s) {
    s.versions[first.version].value = first.value;
    s.metadata.rotation_enabled = kind_ == Kind::Delegated;
  });
  cluster_ = kind == Kind::InfluxdbToken ? make_life(*this, clock_, arn_, first, setup_)
                                         : make_small_cluster(*this, first);
  clock_.advance(Duration(60'000));
  ask_for_rotation();
  clock_.advance(Duration(60'000));
}

void SimWorld::ask_for_rotation() {
  tell("a rotation is asked for");
  asked_at_ = clock_.now();
  ++asked_;
}

void SimWorld::others_act() {
  cluster_->act(calm());
  if (!placed()) people();
  aws_rotates();
}

void SimWorld::becoming_calm() {
  if (holder(engine::kPending).starts_with("person-") && kind_ != Kind::Delegated)
    person_moves(engine::kPending, "");
  // What a person broke by hand heals with the next rotation.
  if (kind_ == Kind::ForwardOnly && !rotation_due()) ask_for_rotation();
}

void SimWorld::resting(Rest rest) {
  if (rest == Rest::Late && kind_ == Kind::ForwardOnly && !works(holder(engine::kCurrent)) &&
      !rotation_due())
    ask_for_rotation();
}

// --- AWS ---

Result<aws::SecretMetadata> SimWorld::describe(const std::string& id) {
  const Fate fate = send("DescribeSecret", false);
  if (fate != Fate::Carried) return lost("DescribeSecret");
  // What one change ago was true, for a second at most. But a last look that does not show yet what
  // a person did by hand is the instant before a revocation that nobody protects
  // (docs/protocol.md, "What is not promised").
  const auto changed = aws_.secret(arn_).metadata.last_changed;
  const bool by_hand_too_late = confirming_ > 0 && changed == changed_by_hand_;
  if (changed && clock_.now() - *changed < Duration(1000) && !by_hand_too_late &&
      strikes(Fault::StaleRead)) {
    happened(Fault::StaleRead);
    aws_.set_staleness([] { return 1; });
  }
  auto answer = aws_.describe(id);
  aws_.set_staleness(nullptr);
  arrive();
  return answer;
}

Result<aws::SecretValue> SimWorld::get_value(const std::string& id, const std::string& version,
                                             const std::string& stage) {
  if (send("GetSecretValue " + version.substr(0, 18), false) != Fate::Carried)
    return lost("GetSecretValue");
  auto answer = aws_.get_value(id, version, stage);
  arrive();
  return answer;
}

Result<std::vector<aws::VersionInfo>> SimWorld::list_versions(const std::string& id,
                                                              bool deprecated) {
  return aws_.list_versions(id, deprecated);
}
Result<aws::ListSecretsPage> SimWorld::list(const aws::ListSecretsRequest& request) {
  return aws_.list(request);
}

Status SimWorld::put_value(const aws::PutSecretValueRequest& request) {
  auto copy = std::make_shared<aws::PutSecretValueRequest>();
  copy->secret_id = request.secret_id;
  copy->client_request_token = request.client_request_token;
  copy->value = request.value.clone();
  copy->stages = request.stages;
  return write("PutSecretValue " + request.client_request_token.substr(0, 18), request.not_after,
               [this, copy] { return aws_.put_value(*copy); });
}

Status SimWorld::update_stage(const aws::UpdateStageRequest& request) {
  aws::UpdateStageRequest copy = request;
  copy.not_after.reset();
  return write("UpdateSecretVersionStage " + request.stage + " " +
                   request.remove_from.substr(0, 18) + " -> " + request.move_to.substr(0, 18),
               request.not_after, [this, copy] {
                 const std::string before = aws_.holder(arn_, "AWSCURRENT");
                 const Status done = aws_.update_stage(copy);
                 if (copy.stage == "AWSCURRENT" && aws_.holder(arn_, "AWSCURRENT") != before)
                   ++finished_;
                 return done;
               });
}

bool SimWorld::rotation_due() const {
  const std::string current = aws_.holder(arn_, "AWSCURRENT"),
                    latest = aws_.holder(arn_, "KEYTURN_LATEST");
  WallTime newest = aws_.created_of(arn_, current);
  if (!latest.empty() && (latest == current || latest == aws_.holder(arn_, "AWSPREVIOUS"))) {
    newest = std::max(newest, aws_.created_of(arn_, latest));
  }
  return newest < asked_at_;
}

Status SimWorld::rotate_secret(const std::string& version_id) {
  if (send("RotateSecret", false) != Fate::Carried) return lost("RotateSecret");
  Status answer;
  const std::string pending = aws_.holder(arn_, "AWSPENDING");
  if (!pending.empty() && pending != aws_.holder(arn_, "AWSCURRENT")) {
    answer = invalid("InvalidRequestException", "A previous rotation isn't complete.");
  } else if (!aws_.value_of(arn_, version_id)) {
    aws_version_ = version_id;
    ++names_;
    aws_.add_placeholder(arn_, aws_version_);
    aws_step_ = 1;
  }
  arrive();
  return answer;
}

void SimWorld::aws_rotates() {
  if (aws_step_ == 0 || rng_.unit() > 0.3) return;
  tell("AWS's function, step " + std::to_string(aws_step_));
  if (aws_step_ == 1) {
    aws_.edit(arn_, [&](testing::FakeSecretsManager::Secret& s) {
      auto& version = s.versions[aws_version_];
      version.value = backend_->with("", "aws" + std::to_string(names_), others_);
      version.has_value = true;
      version.created = clock_.now();
    });
  }
  if (aws_step_ == 2) {
    aws_.move_label(arn_, "AWSCURRENT", aws_version_);
    ++finished_;
  }
  if (aws_step_ == 3) aws_.move_label(arn_, "AWSPENDING", "");
  aws_step_ = (aws_step_ + 1) % 4;
}

}  // namespace keyturn::simulation
