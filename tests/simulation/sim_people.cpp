// What people do to the seeded simulation's world, and what must hold in it (design 2.3).
#include <algorithm>

#include "tests/simulation/sim_world.h"

namespace keyturn::simulation {

void SimWorld::saved_by_person(const std::string& credential, const std::string& others) {
  ++meddled_;
  others_ = others;
  const std::string current = value_of(holder(engine::kCurrent));
  aws_.put_as_person(arn_, backend_->with(current, credential, others));
  tell("a person saves " + credential + ";" + others);
}

void SimWorld::person_moves(std::string_view label, const std::string& to) {
  ++meddled_;
  tell("a person moves " + std::string(label) + " to " +
       (to.empty() ? "nowhere" : to.substr(0, 18)));
  aws_.move_label(arn_, std::string(label), to);
}

void SimWorld::people() {
  if (calm()) return;
  if (rng_.unit() < 0.03 && !rotation_due()) ask_for_rotation();
  if (strikes(Fault::PolicyDeleted)) (void)act(Act::DeletesPolicy);
  if (!strikes(Fault::Person)) return;
  const bool in_cluster = kind_ == Kind::InfluxdbToken && rng_.below(3) == 0;
  const Act what = in_cluster ? Act() : static_cast<Act>(rng_.below(kLabelActs));
  (void)by_a_person([&] {
    if (!in_cluster) return act_on_labels(what);
    cluster_->one_act_of_a_person();
    return true;
  });
}

bool SimWorld::act(Act what) {
  switch (what) {
    case Act::DeletesPolicy:
      happened(Fault::PolicyDeleted);
      go_away(Duration(static_cast<std::int64_t>(rng_.below(3'600'000))));
      return true;
    case Act::AsksRotation:
      if (rotation_due()) return false;
      ask_for_rotation();
      return true;
    default:
      break;
  }
  return by_a_person([&] {
    return static_cast<int>(what) < kLabelActs ? act_on_labels(what)
                                               : cluster_->act_of_a_person(what);
  });
}

template <typename Deed>
bool SimWorld::by_a_person(const Deed& deed) {
  if (confirming_ > 0) return false;
  happened(Fault::Person);
  const auto before = aws_.stages(arn_);
  const std::string others = others_, current = holder(engine::kCurrent);
  const auto undo = backend_->undo();
  if (!deed()) return false;
  if (aws_.stages(arn_) != before)
    changed_by_hand_ = aws_.secret(arn_).metadata.last_changed.value_or(WallTime());
  // Nobody takes all labels but the baton from the only value that works, or that is just being
  // set.
  const std::string attempt = holder(engine::kBaton);
  const auto bare = [&](const aws::StagesByVersion& stages) {
    return stages.at(attempt).size() == 1;
  };
  const bool stripped = !attempt.empty() && bare(aws_.stages(arn_)) && !bare(before);
  // Nor leaves it with LATEST alone by a second change of AWSCURRENT while a put that was planned
  // before the first may be on its way (docs/protocol.md, "What is not promised").
  const bool second = clock_.mono() - current_moved_ < engine::Timing{}.quiet();
  const bool only_latest = second && !works(holder(engine::kCurrent)) &&
                           !works(holder(engine::kPending)) && !works(holder(engine::kPrevious));
  if (kind_ == Kind::ForwardOnly && (!some_label_works() || stripped || only_latest)) {
    others_ = others;
    undo();
    aws_.edit(arn_, [&](testing::FakeSecretsManager::Secret& s) { s.metadata.stages = before; });
    tell("  … no: that was the last label but the baton");
  } else if (holder(engine::kCurrent) != current) {
    current_moved_ = clock_.mono();
  }
  return true;
}

bool SimWorld::act_on_labels(Act what) {
  const std::string current = holder(engine::kCurrent), previous = holder(engine::kPrevious),
                    pending = holder(engine::kPending);
  const std::string latest = holder(engine::kLatest), baton = holder(engine::kBaton);
  const std::string credential = backend_->credential(value_of(current));
  switch (what) {
    case Act::EditsField:  // another field
      return saved_by_person(credential, std::to_string(++names_)), true;
    case Act::SavesOwn:
      return saved_by_person(backend_->own_credential(++names_), others_), true;
    case Act::CurrentBack:
      if (previous.empty() || (two_credentials() && !works(previous))) return false;
      others_ = backend_->others(value_of(previous));
      return person_moves(engine::kCurrent, previous), true;
    case Act::CurrentToPending:
      if (pending.empty() || !works(pending) || kind_ == Kind::Delegated) return false;
      others_ = backend_->others(value_of(pending));
      return person_moves(engine::kCurrent, pending), true;
    case Act::DropsPending:
      if (pending.empty() || kind_ == Kind::Delegated) return false;
      return person_moves(engine::kPending, ""), true;
    case Act::DropsBaton:
      if (baton.empty()) return false;
      return person_moves(engine::kBaton, ""), true;
    case Act::DropsLatest:
      if (latest.empty()) return false;
      latest_dropped_ = true;
      return person_moves(engine::kLatest, ""), true;
    case Act::PutsPending:  // somebody else's rotation, which ends when it is calm
      if (kind_ == Kind::Delegated) return false;
      ++meddled_;
      tell("a person puts a pending version");
      (void)aws_.put_as_person(arn_, backend_->with(value_of(current), "foreign", "0"),
                               "AWSPENDING");
      return true;
    case Act::RollsBack:
      if (rollback_of_ == current) return false;
      ++meddled_;
      rollback_of_ = current;
      tell("a person asks to roll back");
      return true;
    default:
      return false;
  }
}

void SimWorld::check() {
  if (failure() || kind_ == Kind::None || kind_ == Kind::Delegated) return;
  if (two_credentials()) {
    const std::string wrong =
        cluster_->wrong_now([this](const std::string& value) { return backend_->accepts(value); });
    if (!wrong.empty()) return fail(wrong);
  }
  if (!some_label_works()) return fail("I2: no labelled version holds a working credential");
  if (meddled_ == 0 && wrong_ == 0 && finished_ > asked_ + cluster_->rollbacks())
    fail("I4: " + std::to_string(finished_) + " rotations happened, " + std::to_string(asked_) +
         " were asked for");
}

void SimWorld::said(const std::string& text) {
  if (kind_ != Kind::InfluxdbToken) return;  // those of the fakes are words of any text, like "t0"
  const auto leaks = [&](const std::string& credential) {
    return text.find(credential) != std::string::npos;
  };
  bool leaked = false;
  for (const SimBackend::Living& one : backend_->living()) leaked |= leaks(one.credential);
  for (const auto label : {engine::kCurrent, engine::kPending, engine::kPrevious, engine::kBaton}) {
    const std::string value = value_of(holder(label));
    leaked |= !value.empty() && leaks(backend_->credential(value));
  }
  if (leaked) fail("I5: a credential was told");
}

bool SimWorld::some_label_works() const {
  return works(holder(engine::kCurrent)) || works(holder(engine::kPending)) ||
         works(holder(engine::kPrevious)) ||
         (kind_ == Kind::ForwardOnly && works(holder(engine::kLatest)));
}

// A person may still say something about a pending version, or has asked for something.
bool SimWorld::waits_for_person() const {
  const std::string current = holder(engine::kCurrent), pending = holder(engine::kPending);
  return (latest_dropped_ && !pending.empty() && pending != current) || rollback_of_ == current;
}

std::string SimWorld::unrest() const {
  const std::string current = holder(engine::kCurrent), pending = holder(engine::kPending);
  // Somebody took KEYTURN_LATEST from an older pending version of ours: it looks like anybody's,
  // and a person has to say.
  const bool foreign = latest_dropped_ && !pending.empty() && pending != current;
  if (!works(current) && !foreign) return "I3: AWSCURRENT does not work";
  const auto value = aws_.value_of(arn_, current);
  if (std::string wrong = cluster_->wrong_at_rest({current, *value}); !wrong.empty()) return wrong;
  if (!holder(engine::kBaton).empty()) return "I3: the baton is left";
  if (!pending.empty() && pending != current && !foreign) return "I3: AWSPENDING is left";
  if (kind_ != Kind::Delegated && backend_->others(*value) != others_)
    return "a person's edit of another field is lost";
  if (rotation_due() && !foreign) return "I4: a rotation is still due";
  // A version that was made to go back serves a request of before it, too.
  const int rollbacks = cluster_->rollbacks();
  const bool right = rollbacks == 0 ? finished_ == asked_ : finished_ <= asked_ + rollbacks;
  if (meddled_ == 0 && wrong_ == 0 && !right) {
    return "I4: " + std::to_string(asked_) + " rotations were asked for, " +
           std::to_string(finished_) + " happened";
  }
  return two_credentials() && !foreign ? left_over(backend_->credential(*value)) : "";
}

std::string SimWorld::left_over(const std::string& current) const {
  const std::string previous = holder(engine::kPrevious);
  const std::string held_back = previous.empty() ? "" : backend_->credential(value_of(previous));
  for (const SimBackend::Living& one : backend_->living()) {
    if (one.credential == current || (meddled_ > 0 && (!one.ours || one.credential == held_back)))
      continue;
    return "I3: credential " + one.name + " is left over";
  }
  return {};
}

}  // namespace keyturn::simulation
