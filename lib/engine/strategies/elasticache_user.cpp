#include "lib/engine/strategies/elasticache_user.h"

#include <nlohmann/json.hpp>

#include "lib/base/text.h"
#include "lib/engine/strategies/options.h"

namespace keyturn::engine {

using namespace elasticache;  // NOLINT(google-build-using-namespace): the strategy is made of it

namespace {

constexpr const char* kName = "elasticacheUser";

// What ElastiCache takes for a user's password, and for an AUTH token, by every document of theirs.
constexpr int kShortest = 16, kLongest = 128, kUsual = 32;
std::vector<std::string> password_classes() {
  return {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!#$^-"};
}

Error other_user(const std::string& what) {
  return invalid("OtherUser",
                 what +
                     " is for another user than the current one; put into the secret a "
                     "password that works for the user that it names");
}

std::string whom(const UserSecret& secret) { return "ElastiCache user " + secret.arn.id; }

Error current_refused(const UserSecret& secret, ErrorClass cls) {
  return make_error(cls, "CurrentRefused",
                    whom(secret) +
                        " does not log in with the password that AWSCURRENT holds: put one that "
                        "works into the secret, or take the field password out of it to have the "
                        "user's passwords replaced by a new one");
}

// Why a test came to no answer, as an error.
Error cause_of(const TestResult& result) {
  if (result.cause) return *result.cause;
  return make_error(ErrorClass::Transient, "TestUnknown", result.detail);
}

}  // namespace

Result<std::unique_ptr<Strategy>> ElasticacheUserStrategy::make(const nlohmann::json& json,
                                                                const std::string& path,
                                                                const StrategyDeps& deps) {
  Options options(json, path);
  Location location = Location::read(options);
  PasswordRecipe recipe =
      PasswordRecipe::of_length(options, kShortest, kLongest, kUsual, password_classes());
  if (auto done = options.finish(); !done) return std::move(done).error();
  return std::unique_ptr<Strategy>(
      new ElasticacheUserStrategy(std::move(location), std::move(recipe), deps));
}

const Traits& ElasticacheUserStrategy::traits() const {
  static const Traits kTraits{kName,
                              Backend::TwoCredentials,
                              /*can_rollback=*/true,
                              /*can_revoke=*/true,
                              /*soft_revoke=*/false,
                              /*set_replaces=*/true};
  return kTraits;
}

Status ElasticacheUserStrategy::recognise(const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  return {};
}

Error ElasticacheUserStrategy::being_changed(const UserSecret& secret) const {
  Error error = make_error(ErrorClass::Unavailable, "UserBeingChanged",
                           whom(secret) + " is being changed; it is looked at again");
  error.retry_after = access_.look_again();
  return error;
}

Result<SecretString> ElasticacheUserStrategy::create(const StepContext& ctx,
                                                     const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  if (!secret->password.empty()) {
    // set() will write it beside the new one: what is no password of the user must not become one.
    const TestResult works = test(*secret, ctx.deadline);
    if (works.verdict == Verdict::Rejected) return current_refused(*secret, ErrorClass::Invalid);
    if (works.verdict == Verdict::Unknown) return cause_of(works);
  }
  auto password = recipe_.draw(*ctx.rng);
  if (!password) return std::move(password).error();
  return with_password(secret->document, *password);
}

Result<SetResult> ElasticacheUserStrategy::set(const StepContext& ctx, const SecretString& pending,
                                               const SecretString& current,
                                               const SecretString*) const {
  auto wanted = read(pending);
  if (!wanted) return std::move(wanted).error().with_context("the pending version");
  auto now = read(current);
  if (!now) return std::move(now).error();
  if (!wanted->same_user(*now)) return other_user("the pending version");
  if (wanted->password.empty())
    return invalid("MissingField", "the pending version has no password");
  const SetResult not_yet{SetResult::State::NotYet, access_.look_again()};

  auto user = access_.user(*wanted);
  if (!user) return std::move(user).error();
  if (!user->active()) return not_yet;
  // What was sent, or what one primary takes, was set: whether all take it is for test() to judge.
  // Setting it again would change nothing, and never end.
  if (ctx.sent) return SetResult{};
  // With one password, which is the current one, the new one cannot be there: no login that fails.
  const bool maybe_there = now->password.empty() || user->password_count > 1;
  if (maybe_there) {
    const TestResult there = access_.log_in_anywhere(*wanted, *user, ctx.deadline);
    if (there.verdict == Verdict::Accepted) return SetResult{};
    if (there.verdict == Verdict::Unknown) return cause_of(there);
  }
  if (ctx.confirm && !ctx.confirm()) {
    return make_error(ErrorClass::Conflict, "Changed",
                      "something changed before the new password was set");
  }
  std::vector<const SecretString*> passwords{&wanted->password};
  if (!now->password.empty() && !(now->password == wanted->password))
    passwords.push_back(&now->password);
  auto changed = access_.replace_passwords(*wanted, passwords, ctx.deadline);
  if (!changed && changed.error().code == "InvalidUserState") return not_yet;
  if (!changed) return std::move(changed).error();
  return SetResult{SetResult::State::Sent, access_.look_again()};
}

TestResult ElasticacheUserStrategy::test(const StepContext& ctx, const SecretString& value) const {
  auto secret = read(value);
  if (!secret) return unknown(secret.error());  // a matter of the policy, perhaps
  if (secret->password.empty()) return rejected("the value holds no password");
  return test(*secret, ctx.deadline);
}

TestResult ElasticacheUserStrategy::test(const UserSecret& secret, MonoTime deadline) const {
  auto user = access_.user(secret);
  if (!user) return unknown(user.error());
  if (!user->active()) return unknown(being_changed(secret));
  const TestResult result = access_.log_in(secret, *user, deadline);
  if (result.verdict != Verdict::Rejected) return result;
  // A change may have begun between the two: then it was no answer yet.
  user = access_.user(secret);
  if (!user) return unknown(user.error());
  return user->active() ? result : unknown(being_changed(secret));
}

Status ElasticacheUserStrategy::retire(const StepContext& ctx, const SecretString& retired,
                                       const SecretString& current,
                                       const std::function<bool()>& confirm) const {
  auto old = read(retired);
  if (!old) return std::move(old).error();
  auto now = read(current);
  if (!now) return std::move(now).error();
  if (old->password.empty()) return {};
  if (!now->same_user(*old)) return other_user("the version to retire");
  auto user = access_.user(*now);
  if (!user && user.error().code == "UserNotFound") return {};
  if (!user) return std::move(user).error();
  if (!user->active()) return being_changed(*now);

  // The current one alone is written, and only where it works.
  const TestResult works =
      now->password.empty() ? rejected("") : access_.log_in(*now, *user, ctx.deadline);
  if (works.verdict == Verdict::Rejected) return current_refused(*now, ErrorClass::Denied);
  if (works.verdict == Verdict::Unknown) return cause_of(works);
  if (user->password_count < 2) return {};
  if (!confirm()) {
    return make_error(ErrorClass::Conflict, "Changed",
                      "something changed before the old password was dropped");
  }
  auto changed = access_.replace_passwords(*now, {&now->password}, ctx.deadline);
  if (!changed && changed.error().code != "InvalidUserState") return std::move(changed).error();
  if (changed && changed->active() && changed->password_count < 2) return {};
  return being_changed(*now);  // done when it is seen to be
}

bool ElasticacheUserStrategy::same_credential(const SecretString& a, const SecretString& b) const {
  if (a == b) return true;
  const auto x = read(a), y = read(b);
  return x.ok() && y.ok() && x->same_user(*y) && x->password == y->password;
}

Result<SecretString> ElasticacheUserStrategy::carry(const SecretString& from,
                                                    const SecretString& onto) const {
  auto source = read(from);
  if (!source) return std::move(source).error();
  auto current = read(onto);
  if (!current) return std::move(current).error();
  if (!source->same_user(*current)) return other_user("the version with the old password");
  if (source->password.empty()) {
    return invalid("NothingToRollBack", "the old version has no password: rotate forward instead");
  }
  return with_password(current->document, source->password);
}

Result<Strategy::References> ElasticacheUserStrategy::references(
    const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  References out;
  out.resources.push_back(secret->arn.text);
  const Location& at = secret->location;
  if (!at.replication_group.empty())
    out.resources.push_back(secret->arn.replication_group(at.replication_group));
  if (!at.endpoint.empty()) out.hosts.push_back(at.endpoint);
  return out;
}

}  // namespace keyturn::engine
