#include "tests/simulation/sim_world.h"

#include <algorithm>
#include <cstdio>

namespace keyturn::simulation {

namespace {

constexpr Duration kRequestDeadline{15'000};
constexpr Duration kCalm{9 * 3'600'000};  // enough for two clean-ups of what is older than an hour

Error lost(const std::string& name) {
  return make_error(ErrorClass::Transient, "Timeout", name + ": no answer");
}

}  // namespace

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::Minting:
      return "minting";
    case Kind::SoftMinting:
      return "softMinting";
    case Kind::ForwardOnly:
      return "forwardOnly";
    case Kind::None:
      return "none";
    case Kind::Delegated:
      return "delegated";
  }
  return "";
}

const char* to_string(Fault fault) {
  static const char* const kNames[kFaults] = {"any",   "crash",    "lost",    "late",
                                              "twice", "throttle", "refused", "wrong",
                                              "stale", "other",    "person",  "deleted"};
  return kNames[static_cast<std::size_t>(fault)];
}

SimWorld::SimWorld(Kind kind, std::uint64_t seed, bool trace)
    : kind_(kind),
      trace_(trace),
      rng_(seed * 0x9e3779b97f4a7c15u + 1),
      aws_(clock_),
      tokens_(clock_) {
  arn_ = aws_.add_secret("shop/orders", make_value("t0", "0"));
  tokens_.add("t0");
  password_.become("t0");
  tokens_.hook = password_.hook = [this](const std::string& name, When when) {
    return backend_request(name, when);
  };
  tokens_.on_revoking = [this](bool under_way) { confirming_ += under_way ? 1 : -1; };
  switch (kind) {
    case Kind::Minting:
      strategy_ = make_minting(tokens_);
      break;
    case Kind::SoftMinting:
      strategy_ = make_minting(tokens_, {.soft_revoke = true});
      break;
    case Kind::ForwardOnly:
      strategy_ = make_forward_only(password_);
      break;
    case Kind::None:
      strategy_ = make_none();
      break;
    case Kind::Delegated:
      strategy_ =
          make_delegated([this](const std::string& version) { return rotate_secret(version); });
      break;
  }
  cluster_.version = aws_.holder(arn_, "AWSCURRENT");
  cluster_.value = make_value("t0", "0");
  for (Pod& pod : cluster_.pods) pod.value = cluster_.value;
  chaos_ = 40 + static_cast<int>(rng_.below(200));
  // Most schedules know few kinds of trouble, so that each is also met alone.
  const auto draw = [this](double p) {
    return rng_.unit() < 0.4 ? 0.0 : p * (rng_.unit() < 0.2 ? 3.0 : 0.3 + rng_.unit());
  };
  odds_ = {.crash = draw(0.02),
           .lost = draw(0.04),
           .late = draw(0.04),
           .twice = draw(0.06),
           .throttle = draw(0.03),
           .refused = draw(0.02),
           .wrong = draw(0.07),
           .stale = draw(0.08),
           .person = draw(0.045),
           .deleted = draw(0.006)};
  asked_ = 1;
  clock_.advance(Duration(60'000));
  asked_at_ = clock_.now();
  clock_.advance(Duration(60'000));
}

void SimWorld::tell(const std::string& line) {
  if (!trace_) return;
  const double seconds = static_cast<double>(clock_.mono().time_since_epoch().count()) / 1000.0;
  std::printf("%10.3f  %s\n", seconds, line.c_str());
}

void SimWorld::fired(int row) {
  if (row == 0) return;
  for (std::size_t f = 0; f < kFaults; ++f) {
    if (f == 0 || seen_[f]) ++coverage_[{row, static_cast<Fault>(f)}];
  }
}

void SimWorld::happened(Fault fault) {
  seen_[static_cast<std::size_t>(fault)] = true;
  if (trace_ && fault != Fault::OtherLeader) tell(std::string("  !! ") + to_string(fault));
}

void SimWorld::fail(const std::string& what) {
  if (!failure_) failure_ = Failure{what};
  tell("FAILED " + what);
  over_ = true;
}

// --- the turn ---

void SimWorld::run(const std::array<std::function<void()>, 2>& leaders) {
  std::array<std::thread, 2> threads;
  for (std::size_t n = 0; n < 2; ++n) threads[n] = std::thread(leaders[n]);
  for (std::thread& t : threads) t.join();
  if (!failure_) check_end();
}

void SimWorld::start(std::size_t leader) {
  wait_for_turn(leader);
  leaders_[leader].busy = true;
}

void SimWorld::wait_for_turn(std::size_t leader) {
  std::unique_lock lock(mutex_);
  leaders_[leader].turn.wait(lock, [&] { return current_ == leader; });
  lock.unlock();
  if (over_ || leaders_[leader].gone) throw Stop{};
}

void SimWorld::switch_to(std::size_t leader) {
  const std::lock_guard lock(mutex_);
  current_ = leader;
  leaders_[leader].turn.notify_one();
}

void SimWorld::finish(std::size_t leader) {
  leaders_[leader].busy = false;
  leaders_[leader].gone = true;
  switch_to(1 - leader);  // the other one goes on, or finds that it is over
}

void SimWorld::sleep(std::size_t leader, Duration duration) {
  Leader& me = leaders_[leader];
  Leader& other = leaders_[1 - leader];
  me.busy = false;
  me.back_by.reset();
  me.wakes = clock_.mono() + (calm_ ? std::max(duration, Duration(1)) : duration);
  land_ghosts();
  const bool mine = other.gone || (!other.busy && me.wakes <= other.wakes);
  if (!mine) {
    if (!other.busy && other.wakes > clock_.mono()) clock_.advance(other.wakes - clock_.mono());
    switch_to(1 - leader);
    wait_for_turn(leader);
  }
  if (me.wakes > clock_.mono()) clock_.advance(me.wakes - clock_.mono());
  land_ghosts();
  if (calm_ && clock_.mono() - calm_since_ > kCalm / 2 && kind_ == Kind::ForwardOnly &&
      !works(holder(engine::kCurrent)) && !rotation_due()) {
    tell("a rotation is asked for, to heal what a person broke");
    ++asked_;
    asked_at_ = clock_.now();
  }
  if (calm_ && clock_.mono() - calm_since_ > kCalm) over_ = true;
  if (over_) throw Stop{};
  me.busy = true;
}

// Never so much that a request under way would miss its deadline.
void SimWorld::pass_time(Duration at_most) {
  const double kind = rng_.unit();
  Duration by(static_cast<std::int64_t>(rng_.below(kind < 0.7 ? 50 : kind < 0.92 ? 1000 : 15'000)));
  by = std::min(by, at_most);
  for (const Leader& leader : leaders_) {
    if (leader.busy && leader.back_by)
      by = std::min(by, std::max(*leader.back_by - clock_.mono(), Duration(0)));
  }
  if (by > Duration(0)) clock_.advance(by);
}

void SimWorld::turn() {
  const std::size_t me = current_;
  ++requests_;
  if (!calm_ && requests_ > chaos_) become_calm();
  land_ghosts();
  pass_time(kRequestDeadline);
  land_ghosts();
  people();
  aws_rotates();
  check();
  if (over_) throw Stop{};
  Leader& other = leaders_[1 - me];
  const bool other_ready = !other.gone && (other.busy || other.wakes <= clock_.mono());
  const bool other_must =
      other_ready && other.busy && other.back_by && *other.back_by <= clock_.mono();
  if (other_must || (other_ready && rng_.unit() < 0.25)) {
    if (other.busy) happened(Fault::OtherLeader);
    switch_to(1 - me);
    wait_for_turn(me);
    land_ghosts();
  }
  if (calm_ && leaders_[me].retires) throw Stop{};
}

void SimWorld::become_calm() {
  tell("---- calm ----");
  calm_ = true;
  calm_since_ = clock_.mono();
  away_until_ = MonoTime{};
  if (holder(engine::kPending).starts_with("person-") && kind_ != Kind::Delegated)
    person_moves(engine::kPending, "");
  if (kind_ == Kind::ForwardOnly &&
      !rotation_due()) {  // what a person broke by hand heals with the next rotation
    ++asked_;
    asked_at_ = clock_.now();
  }
  if (rng_.below(2) == 0) leaders_[rng_.below(2)].retires = true;
}

Duration SimWorld::away() const {
  return std::max(std::chrono::duration_cast<Duration>(away_until_ - clock_.mono()), Duration(0));
}

void SimWorld::land_ghosts() {
  for (std::size_t i = 0; i < ghosts_.size();) {
    if (ghosts_[i].lands > clock_.mono()) {
      ++i;
      continue;
    }
    const auto carry_out = std::move(ghosts_[i].carry_out);
    ghosts_.erase(ghosts_.begin() + static_cast<std::ptrdiff_t>(i));
    carry_out();
  }
}

// --- requests ---

SimWorld::Fate SimWorld::send(const std::string& name, bool writes) {
  Leader& me = leaders_[current_];
  if (!me.back_by) me.back_by = clock_.mono() + kRequestDeadline;
  const MonoTime deadline = clock_.mono() + kRequestDeadline;
  me.back_by = deadline;
  turn();
  tell("leader " + std::to_string(current_) + "     " + name);
  if (chance(odds_.crash)) {
    happened(Fault::Crash);
    throw Crash{};
  }
  if (chance(odds_.throttle)) return happened(Fault::Throttle), Fate::Throttled;
  if (chance(odds_.refused)) return happened(Fault::Refused), Fate::Refused;
  if (writes && chance(odds_.late)) return happened(Fault::Late), Fate::Late;
  if (chance(odds_.lost)) return happened(Fault::LostReply), Fate::LostReply;
  return Fate::Carried;
}

void SimWorld::arrive() {
  check();
  turn();
  leaders_[current_].back_by.reset();
  if (chance(odds_.crash)) {
    happened(Fault::Crash);
    throw Crash{};
  }
}

Result<aws::SecretMetadata> SimWorld::describe(const std::string& id) {
  const Fate fate = send("DescribeSecret", false);
  if (fate != Fate::Carried) return lost("DescribeSecret");
  const bool stale = chance(odds_.stale);
  if (stale) {
    // What one change ago was true, for a second at most.
    const auto changed = aws_.secret(arn_).metadata.last_changed;
    // A last look that does not show yet what a person did by hand is the instant before a
    // revocation that nobody protects (docs/protocol.md, "What is not promised").
    const bool by_hand_too_late = confirming_ > 0 && changed == changed_by_hand_;
    if (changed && clock_.now() - *changed < Duration(1000) && !by_hand_too_late) {
      happened(Fault::StaleRead);
      aws_.set_staleness([] { return 1; });
    }
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

// Checked for its age when it is sent; carried out when it gets there.
Status SimWorld::write(const std::string& name, const std::optional<MonoTime>& not_after,
                       const std::function<Status()>& carry_out) {
  if (not_after && clock_.mono() > *not_after)
    return make_error(ErrorClass::Unavailable, "ViewTooOld", "not sent");
  const MonoTime sent = clock_.mono();
  const Fate fate = send(name, true);
  const auto later = [&] { return sent + Duration(static_cast<std::int64_t>(rng_.below(15'000))); };
  switch (fate) {
    case Fate::Throttled:
      return make_error(ErrorClass::Throttled, "ThrottlingException", "slow down");
    case Fate::Refused:
      return make_error(ErrorClass::Denied, "AccessDeniedException", "not allowed");
    case Fate::Late: {
      ghosts_.push_back({std::max(later(), clock_.mono()),
                         [this, name, carry_out] { tell("  (late) " + name), (void)carry_out(); }});
      return lost(name);
    }
    case Fate::LostReply:
    case Fate::Carried:
      break;
  }
  Status answer = carry_out();
  if (!answer.ok()) tell("      " + answer.error().describe());
  if (chance(odds_.twice)) {
    happened(Fault::Duplicate);
    ghosts_.push_back({std::max(later(), clock_.mono()),
                       [this, name, carry_out] { tell("  (again) " + name), (void)carry_out(); }});
  }
  arrive();
  if (fate == Fate::LostReply) return lost(name);
  return answer;
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

std::optional<Error> SimWorld::backend_request(const std::string& name, When when) {
  if (when == When::After) {
    arrive();
    return std::nullopt;
  }
  const bool changes = name.starts_with("change ") || name.starts_with("revoke ");
  const Fate fate = send(name, changes);
  if (name.starts_with("login ") && chance(odds_.wrong) &&
      (tokens_.accepts(name.substr(6)) || password_.accepts(name.substr(6)))) {
    happened(Fault::WrongRejection);
    ++wrong_;
    return make_error(ErrorClass::Denied, "Rejected", "wrongly rejected");
  }
  if (fate == Fate::Carried) return std::nullopt;
  if (fate == Fate::LostReply) {  // carried out, but nobody is told
    carry_out_backend(name);
  }
  if (fate == Fate::Late) {
    ++confirming_;
    ghosts_.push_back(
        {clock_.mono() + Duration(static_cast<std::int64_t>(rng_.below(10'000))), [this, name] {
           tell("  (late) " + name);
           --confirming_;
           carry_out_backend(name);
         }});
  }
  if (fate == Fate::Refused && !name.starts_with("login "))
    return make_error(ErrorClass::Denied, "Forbidden", "not allowed");
  return lost(name);
}

void SimWorld::carry_out_backend(const std::string& name) {
  if (name.starts_with("revoke ")) return tokens_.remove(name.substr(7));
  if (name.starts_with("mint ")) return tokens_.add_marked(arn_, name.substr(5));
  if (!name.starts_with("change ")) return;
  const std::size_t to = name.find(" to ");
  if (password_.accepts(name.substr(7, to - 7))) password_.become(name.substr(to + 4));
}

// --- the cluster ---

bool SimWorld::apply_secret(const std::string& version, const std::string& value,
                            int resource_version) {
  if (send("apply Secret " + version.substr(0, 18), false) != Fate::Carried) return false;
  const bool fresh = cluster_.resource_version == resource_version;
  if (fresh) {
    cluster_.version = version;
    cluster_.value = value;
    ++cluster_.resource_version;
  }
  arrive();
  return fresh;
}

void SimWorld::restart_pods() {
  (void)send("restart workload", false);
  for (Pod& pod : cluster_.pods) pod.value = cluster_.value;
  arrive();
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
      version.value = make_value("aws" + std::to_string(names_), others_);
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
