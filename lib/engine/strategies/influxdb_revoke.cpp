// Taking tokens away: softly where somebody may hold one (inactive, look again, delete), at once
// where nobody does.
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

// `confirm` looks again directly before each request that takes the token away. A crash in between
// leaves it inactive with our word `retiring`: the next call goes on from there, or leftovers()
// finds it and sets it active.
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
  description.mark->retiring = false;
  const std::string restored = target.active ? target.description : description.write();
  // Giving back what we took knows no deadline.
  if (auto enabled = client.update(target.id, true, restored, MonoTime::max()); !enabled)
    return std::move(enabled).error().with_context("authorization " + target.id +
                                                   " could not be set active again");
  return changed(target);
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
    if (!description.mark || description.mark->arn != ctx.arn) continue;
    const Leftover leftover{one.id, description.mark->version_id, one.created};
    const bool of_current =
        one.id == secret->authorization_id || (!one.token.empty() && one.token == secret->token);
    {
      const std::lock_guard lock(mutex_);
      shown_.insert_or_assign(one.id, std::move(one.token));
    }
    if (!is_leftover(leftover, current)) {
      out.push_back(leftover);
    } else if (of_current && !one.active && description.mark->retiring) {
      // We had set it inactive and crashed, and then somebody made it current again.
      description.mark->retiring = false;
      if (auto enabled = client->update(one.id, true, description.write(), ctx.deadline); !enabled)
        return std::move(enabled).error();
    }
  }
  return out;
}

// In doubt it is: what a value without an id holds on a server that hides values is not known.
bool InfluxdbTokenStrategy::is_leftover(const Leftover& leftover, const SecretString& value) const {
  auto secret = read(value);
  if (!secret) return true;
  if (secret->token.empty()) return false;
  {  // a shown value is the truth: a person may have saved another token and left our id beside it
    const std::lock_guard lock(mutex_);
    const auto shown = shown_.find(leftover.backend_id);
    if (shown != shown_.end() && !shown->second.empty()) return shown->second == secret->token;
  }
  return secret->authorization_id.empty() || secret->authorization_id == leftover.backend_id;
}

Status InfluxdbTokenStrategy::revoke_leftover(const StepContext& ctx, const Leftover& leftover,
                                              const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  if (is_leftover(leftover, current)) {
    return invalid("NotALeftover", "authorization " + leftover.backend_id +
                                       " is the current token's and is not revoked");
  }
  auto client = actor(*secret, ctx.deadline);
  if (!client) return std::move(client).error();
  return absent_is_success(client->remove(leftover.backend_id, ctx.deadline));
}

}  // namespace keyturn::engine
