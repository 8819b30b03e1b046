// Taking tokens away: softly where somebody may hold one (inactive, look again, delete), at once
// where nobody does; and giving back what was only set inactive.
#include <algorithm>
#include <utility>

#include "lib/engine/labels.h"
#include "lib/engine/strategies/influxdb_find.h"
#include "lib/engine/strategies/influxdb_token.h"

namespace keyturn::engine {

using namespace influxdb;  // NOLINT(google-build-using-namespace): the strategy is made of it

namespace {

Status absent_is_success(Status removed) {
  if (!removed && removed.error().cls == ErrorClass::NotFound) return {};
  return removed;
}

Error changed(const Authorization& kept) {
  return make_error(ErrorClass::Conflict, "SomethingChanged",
                    "authorization " + kept.id + " is not revoked: something changed meanwhile");
}

std::string without_retiring(Description description) {
  description.mark->retiring = false;
  return description.write();
}

// Giving back what we took knows no deadline.
Status give_back(const Client& client, const std::string& id, const std::string& description) {
  auto enabled = client.update(id, true, description, MonoTime::max());
  if (enabled) return {};
  return std::move(enabled).error().with_context("authorization " + id +
                                                 " could not be set active again");
}

// `confirm` looks again directly before each request that takes the token away. A crash in between
// leaves it inactive with our word `retiring`: the next call goes on from there, or restore() or
// leftovers() sets it active.
Status revoke_softly(const StepContext& ctx, const Client& client, const Authorization& target,
                     const std::function<bool()>& confirm) {
  Description description = Description::read(target.description);
  const bool disabled_before = !target.active && description.mark && description.mark->retiring;
  if (!target.active && !disabled_before) {  // a person did
    if (!confirm()) return changed(target);
    return absent_is_success(client.remove(target.id, ctx.deadline));
  }
  if (!description.mark) description.mark = Mark{ctx.arn, ctx.version_id};
  if (target.active) {
    if (!confirm()) return changed(target);
    description.mark->retiring = true;
    auto disabled = client.update(target.id, false, description.write(), ctx.deadline);
    if (!disabled) return absent_is_success(std::move(disabled));
  }
  if (confirm()) return absent_is_success(client.remove(target.id, ctx.deadline));
  const std::string restored =
      target.active ? target.description : without_retiring(std::move(description));
  if (auto enabled = give_back(client, target.id, restored); !enabled) return enabled;
  return changed(target);
}

// Inactive, and by us on the way to deleting it: not by a person.
bool disabled_by_us(const StepContext& ctx, const Authorization& one) {
  const auto mark = Description::read(one.description).mark;
  return !one.active && mark && mark->retiring && same_secret_name(mark->arn, ctx.arn);
}

// What retire() or abandon() disabled of this value's. Where tokens are not shown, one without a
// known id is told by the mark that it got when it was disabled.
Result<std::optional<Authorization>> find_disabled(const StepContext& ctx,
                                                   const TokenSecret& secret,
                                                   const Client& client) {
  using Found = std::optional<Authorization>;
  if (!secret.authorization_id.empty()) {
    auto by_id = client.authorization(secret.authorization_id, ctx.deadline);
    if (!by_id && by_id.error().cls == ErrorClass::NotFound) return Found();
    if (!by_id) return std::move(by_id).error();
    if (may_be(*by_id, secret.token))
      return disabled_by_us(ctx, *by_id) ? Found(std::move(by_id).value()) : Found();
  }
  auto all = client.authorizations(secret.org, ctx.deadline);
  if (!all) return std::move(all).error();
  if (all->empty()) return nothing_visible(client, secret);
  for (Authorization& one : *all) {
    if (!disabled_by_us(ctx, one)) continue;
    const bool its = one.token.empty()
                         ? secret.authorization_id.empty() &&
                               Description::read(one.description).mark->version_id == ctx.version_id
                         : one.token == secret.token;
    if (its) return Found(std::move(one));
  }
  return Found();
}

Status restore_as(const StepContext& ctx, const TokenSecret& secret, const Client& client) {
  auto disabled = find_disabled(ctx, secret, client);
  if (!disabled) return std::move(disabled).error();
  if (!disabled->has_value()) return {};
  const Authorization& one = **disabled;
  return absent_is_success(
      give_back(client, one.id, without_retiring(Description::read(one.description))));
}

}  // namespace

Status InfluxdbTokenStrategy::discard(const StepContext& ctx, const SecretString& minted) const {
  auto secret = read(minted);
  if (!secret) return std::move(secret).error();
  if (secret->authorization_id.empty()) return {};
  auto client = actor(*secret, ctx.deadline);
  if (!client) return std::move(client).error();
  return absent_is_success(client->remove(secret->authorization_id, ctx.deadline));
}

Result<Authorization> InfluxdbTokenStrategy::find_retired(const StepContext& ctx,
                                                          const TokenSecret& retired,
                                                          const TokenSecret& current,
                                                          const Client& client) const {
  if (retired.authorization_id.empty() && !current.authorization_id.empty()) {
    auto newer = client.authorization(current.authorization_id, ctx.deadline);
    if (!newer && newer.error().cls != ErrorClass::NotFound) return newer;
    if (newer) {
      const auto mark = Description::read(newer->description).mark;
      const bool names_it = mark && mark->arn == ctx.arn && is_id(mark->replaces) &&
                            made_from(ctx.arn, mark->version_id, ctx.version_id);
      if (names_it) {
        auto named = client.authorization(mark->replaces, ctx.deadline);
        if (!named || may_be(*named, retired.token)) return named;
      }
    }
  }
  return find_authorization(client, retired, current.authorization_id, ctx.deadline);
}

Status InfluxdbTokenStrategy::retire(const StepContext& ctx, const SecretString& retired,
                                     const SecretString& current,
                                     const std::function<bool()>& confirm) const {
  auto old = read(retired);
  if (!old) return std::move(old).error();
  if (old->token.empty()) return {};  // there was none
  auto now = read(current);
  if (!now) return std::move(now).error();
  if (old->single_user() && now->location != old->location) {
    return invalid("AnotherServer",
                   "the old token is on another server than the current one, which nobody can "
                   "sign in to: revoke it there by hand, then remove KEYTURN_BATON from version " +
                       ctx.version_id);
  }
  auto client = old->single_user() ? actor(*now, ctx.deadline) : actor(*old, ctx.deadline);
  if (!client) return std::move(client).error();
  auto target = find_retired(ctx, *old, *now, *client);
  if (!target && target.error().cls == ErrorClass::NotFound) return {};
  if (!target) return std::move(target).error();
  const auto mark = Description::read(target->description).mark;
  if (mark && !same_secret_name(mark->arn, ctx.arn)) {
    return invalid("TokenOfAnotherSecret",
                   "authorization " + target->id + " was made for secret " + mark->arn +
                       " and is not revoked: revoke it by hand if that is right, then remove "
                       "KEYTURN_BATON from version " +
                       ctx.version_id);
  }
  return revoke_softly(ctx, *client, *target, confirm);
}

Status InfluxdbTokenStrategy::restore(const StepContext& ctx, const SecretString& value,
                                      const SecretString* other) const {
  auto secret = read(value);
  // What cannot be read was never taken away by us.
  if (!secret || secret->token.empty()) return {};
  auto server = access_.server(secret->location, ctx.deadline);
  if (!server) return std::move(server).error();
  // Asked of itself first: while it works, no administrator who is refused holds anything up.
  auto me = server->with_token(secret->token).me(ctx.deadline);
  if (me || me.error().code == "NotPermitted") return {};  // active, if narrow
  if (!credential_refused(me.error())) return std::move(me).error();
  if (!secret->single_user()) {
    auto administrator = actor(*secret, ctx.deadline);
    if (!administrator) return std::move(administrator).error();
    return restore_as(ctx, *secret, *administrator);
  }
  // An inactive token cannot set itself active; the secret's other one can.
  auto helper = other == nullptr ? Result<TokenSecret>(me.error()) : read(*other);
  if (helper && helper->single_user() && helper->location == secret->location) {
    Status restored = restore_as(ctx, *secret, server->with_token(helper->token));
    if (restored || restored.error().cls != ErrorClass::Denied) return restored;
  }
  return invalid("TokenInactive",
                 "the token of version " + ctx.version_id +
                     " is refused, and no other token of the secret may look after it: set it "
                     "active (`influx auth active`), or store a token that works");
}

Status InfluxdbTokenStrategy::abandon(const StepContext& ctx, const SecretString& pending,
                                      const std::function<bool()>& confirm) const {
  auto secret = read(pending);
  // What cannot be read was not written by us; what we minted besides is found by its mark.
  if (!secret || secret->authorization_id.empty()) return {};
  if (secret->single_user()) {  // an inactive token could not delete itself
    auto current = access_.current_value(ctx.arn);
    if (!current) return std::move(current).error();
    auto now = read(*current);
    if (!now) return std::move(now).error();
    secret->token = std::move(now->token);
  }
  auto client = actor(*secret, ctx.deadline);
  if (!client) return std::move(client).error();
  auto target = client->authorization(secret->authorization_id, ctx.deadline);
  if (!target && target.error().cls == ErrorClass::NotFound) return {};
  if (!target) return std::move(target).error();
  const auto mark = Description::read(target->description).mark;
  if (!mark || mark->arn != ctx.arn || mark->version_id != ctx.version_id) return {};
  return revoke_softly(ctx, *client, *target, confirm);
}

Result<std::vector<Leftover>> InfluxdbTokenStrategy::leftovers(const StepContext& ctx,
                                                               const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  if (secret->single_user() && secret->token.empty()) return std::vector<Leftover>{};
  auto client = actor(*secret, ctx.deadline);
  if (!client) return std::move(client).error();
  auto all = client->authorizations(secret->org, ctx.deadline);
  if (!all) return std::move(all).error();
  std::vector<Leftover> out;
  for (Authorization& one : *all) {
    Description description = Description::read(one.description);
    if (!description.mark || !same_secret_name(description.mark->arn, ctx.arn)) continue;
    const Leftover leftover{one.id, description.mark->version_id, one.created,
                            description.mark->arn != ctx.arn};
    const bool of_current =
        one.id == secret->authorization_id || (!one.token.empty() && one.token == secret->token);
    {
      const std::lock_guard lock(mutex_);
      listed_.insert_or_assign(one.id, Listed{std::move(one.token), description.mark->replaces});
      if (of_current) replaced_ = description.mark->replaces;
    }
    if (!is_leftover(leftover, current)) {
      out.push_back(leftover);
    } else if (of_current && !one.active && description.mark->retiring) {
      // We had set it inactive and crashed, and then somebody made it current again.
      if (auto enabled = give_back(*client, one.id, without_retiring(std::move(description)));
          !enabled)
        return std::move(enabled).error();
    }
  }
  return out;
}

// In doubt it is. A value without an id is one that Keyturn did not write; on a server that hides
// values it holds, for all that is known, any of ours, but not one that was made to replace the
// same authorization as the current one: then it holds that one.
bool InfluxdbTokenStrategy::is_leftover(const Leftover& leftover, const SecretString& value) const {
  auto secret = read(value);
  if (!secret) return true;
  if (secret->token.empty()) return false;
  const std::lock_guard lock(mutex_);
  const auto listed = listed_.find(leftover.backend_id);
  const bool known = listed != listed_.end();
  // A shown value is the truth: a person may have saved another token and left our id beside it.
  if (known && !listed->second.token.empty()) return listed->second.token == secret->token;
  if (!secret->authorization_id.empty()) return secret->authorization_id == leftover.backend_id;
  return !known || replaced_.empty() || listed->second.replaces != replaced_;
}

Status InfluxdbTokenStrategy::revoke_leftover(const StepContext& ctx, const Leftover& leftover,
                                              const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  if (leftover.former || is_leftover(leftover, current)) {
    return invalid("NotALeftover", "authorization " + leftover.backend_id +
                                       " is the current token's, or of a former secret, and is "
                                       "not revoked");
  }
  auto client = actor(*secret, ctx.deadline);
  if (!client) return std::move(client).error();
  return absent_is_success(client->remove(leftover.backend_id, ctx.deadline));
}

}  // namespace keyturn::engine
