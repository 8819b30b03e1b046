// Making and proving tokens; influxdb_revoke.cpp has what takes them away.
#include "lib/engine/strategies/influxdb_token.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/text.h"
#include "lib/engine/strategies/generic.h"
#include "lib/engine/strategies/influxdb_find.h"

namespace keyturn::engine {

using namespace influxdb;  // NOLINT(google-build-using-namespace): the strategy is made of it

namespace {

// The old token's own state speaks against copying it.
Status check_old(const StepContext& ctx, const TokenSecret& secret, const Authorization& old) {
  if (!old.active) {
    return invalid("TokenInactive", "authorization " + old.id +
                                        " of the current token is inactive: set it active, or "
                                        "store a token that works");
  }
  if (!old.org.empty() && old.org != secret.org) {
    return invalid("Contradiction", "field org says \"" + printable(secret.org, 60) +
                                        "\", but the token is of organisation \"" +
                                        printable(old.org, 60) + "\"; correct the field");
  }
  const auto mark = Description::read(old.description).mark;
  if (mark && !same_secret_name(mark->arn, ctx.arn)) {
    return invalid("TokenOfAnotherSecret",
                   "authorization " + old.id + " was made for secret " + printable(mark->arn) +
                       ", whose readers would lose it: give this secret a token of its own (or, if "
                       "that secret is gone, clear the authorization's description)");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Strategy>> InfluxdbTokenStrategy::make(const nlohmann::json& json,
                                                              const std::string& path,
                                                              const StrategyDeps& deps) {
  auto options = TokenOptions::read(json, path);
  if (!options) return std::move(options).error();
  return std::unique_ptr<Strategy>(new InfluxdbTokenStrategy(std::move(options).value(), deps));
}

const Traits& InfluxdbTokenStrategy::traits() const {
  static const Traits kTraits{"influxdbToken", Backend::TwoCredentials, /*can_rollback=*/true,
                              /*can_revoke=*/true, /*soft_revoke=*/true};
  return kTraits;
}

Result<TokenSecret> InfluxdbTokenStrategy::read(const SecretString& value) const {
  return TokenSecret::read(value, options_);
}

Status InfluxdbTokenStrategy::recognise(const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  if (auto has = secret->check_token(options_.allow_create); !has) return has;
  if (secret->type == TokenType::Custom && secret->token.empty()) {
    if (auto good = custom_permissions(secret->custom, ""); !good) return std::move(good).error();
  }
  return check_room(current);
}

Result<Client> InfluxdbTokenStrategy::actor(const TokenSecret& secret, MonoTime deadline) const {
  if (!secret.single_user())
    return access_.administrator(secret.location, secret.admin_secret, deadline);
  auto client = access_.server(secret.location, deadline);
  if (!client) return client;
  return client->with_token(secret.token);
}

Result<SecretString> InfluxdbTokenStrategy::create(const StepContext& ctx,
                                                   const SecretString& current) const {
  if (auto known = recognise(current); !known) return std::move(known).error();
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  auto client = actor(*secret, ctx.deadline);
  if (!client) return std::move(client).error();
  auto want = wanted(ctx, *secret, *client);
  if (!want) return std::move(want).error();
  auto made = client->create(*want, ctx.deadline);
  if (!made) {
    Error error = std::move(made).error();
    // Not a race for our version: nothing of ours could be there already.
    if (error.cls == ErrorClass::Conflict) error.cls = ErrorClass::Transient;
    return error;
  }
  if (made->token.empty()) {
    return make_error(ErrorClass::Transient, "BadReply",
                      "InfluxDB made authorization " + made->id + " without telling its token");
  }
  return TokenSecret::with_credential(secret->document, made->token, made->id);
}

Result<NewAuthorization> InfluxdbTokenStrategy::wanted(const StepContext& ctx,
                                                       const TokenSecret& secret,
                                                       const Client& client) const {
  return secret.token.empty() ? first(ctx, secret, client) : as_before(ctx, secret, client);
}

Result<NewAuthorization> InfluxdbTokenStrategy::as_before(const StepContext& ctx,
                                                          const TokenSecret& secret,
                                                          const Client& client) const {
  auto old = find_authorization(client, secret, "", ctx.deadline);
  if (!old) {
    Error error = std::move(old).error();
    if (error.cls == ErrorClass::NotFound) error.cls = ErrorClass::Invalid;  // a person must act
    return error;
  }
  if (auto good = check_old(ctx, secret, *old); !good) return std::move(good).error();
  Description description = Description::read(old->description);
  description.mark = Mark{ctx.arn, ctx.version_id, old->id};
  return NewAuthorization{old->org_id, old->user_id, description.write(), old->permissions};
}

Result<NewAuthorization> InfluxdbTokenStrategy::first(const StepContext& ctx,
                                                      const TokenSecret& secret,
                                                      const Client& client) const {
  auto org = client.org(secret.org, ctx.deadline);
  if (!org) return std::move(org).error();
  auto user = client.me(ctx.deadline);
  if (!user) return std::move(user).error();
  NewAuthorization out{org->id, user->id, "", {}};
  out.description = Description{"", Mark{ctx.arn, ctx.version_id}}.write();
  switch (secret.type) {
    case TokenType::Operator:
      out.permissions = operator_permissions();
      break;
    case TokenType::AllAccess:
      out.permissions = all_access_permissions(org->id, user->id);
      break;
    case TokenType::Custom: {
      auto permissions = custom_permissions(secret.custom, org->id);
      if (!permissions) return std::move(permissions).error();
      out.permissions = std::move(permissions).value();
      break;
    }
  }
  return out;
}

Result<SetResult> InfluxdbTokenStrategy::set(const StepContext&, const SecretString&,
                                             const SecretString&, const SecretString*) const {
  return SetResult{};  // the token lives since create()
}

TestResult InfluxdbTokenStrategy::test(const StepContext& ctx, const SecretString& value) const {
  auto secret = read(value);
  if (!secret) return rejected(secret.error().message);
  if (secret->token.empty()) return rejected("the value holds no token");
  auto server = access_.server(secret->location, ctx.deadline);
  if (!server) return unknown(server.error());
  // 401 "… is unauthorized" is a yes too: the token was recognised, is active, and is a narrow one.
  auto me = server->with_token(secret->token).me(ctx.deadline, Client::Connection::Fresh);
  if (!me && credential_refused(me.error())) return rejected(me.error().message);
  if (!me && me.error().code != "NotPermitted") return unknown(me.error());
  if (secret->authorization_id.empty()) {  // carried from a value that Keyturn did not write
    return {Verdict::Accepted, "the token works; its authorization is not known", std::nullopt};
  }
  auto client = actor(*secret, ctx.deadline);
  if (!client) return unknown(client.error());
  auto mine = client->authorization(secret->authorization_id, ctx.deadline);
  if (!mine && mine.error().cls == ErrorClass::NotFound)
    return rejected("authorization " + secret->authorization_id + " is not there");
  if (!mine) return unknown(mine.error());
  if (!mine->active) return rejected("authorization " + mine->id + " is inactive");
  if (!may_be(*mine, secret->token) || (me && me->id != mine->user_id))
    return rejected("authorization " + mine->id + " is not the token's");
  return compare_with_old(ctx, *mine, *client);
}

// Against the one that it replaces, by the mark. Where that is gone there is nothing to compare
// with any more.
TestResult InfluxdbTokenStrategy::compare_with_old(const StepContext& ctx,
                                                   const Authorization& mine,
                                                   const Client& client) const {
  const auto mark = Description::read(mine.description).mark;
  if (!mark || mark->replaces.empty() || !is_id(mark->replaces))
    return {Verdict::Accepted, "the token works", std::nullopt};
  auto old = client.authorization(mark->replaces, ctx.deadline);
  if (!old && old.error().cls == ErrorClass::NotFound)
    return {Verdict::Accepted, "the token works; the one it replaced is gone", std::nullopt};
  if (!old) return unknown(old.error());
  if (!same_permissions(mine.permissions, old->permissions))
    return rejected("authorization " + mine.id + " does not have the permissions of " + old->id);
  if (mine.user_id != old->user_id || mine.org_id != old->org_id)
    return rejected("authorization " + mine.id + " belongs to another user than " + old->id);
  return {Verdict::Accepted, "the token works, with the permissions of the old one", std::nullopt};
}

bool InfluxdbTokenStrategy::same_credential(const SecretString& a, const SecretString& b) const {
  if (a == b) return true;
  const Document left = Document::parse(a), right = Document::parse(b);
  const auto x = left.get("/token"), y = right.get("/token");
  return x.ok() && y.ok() && *x == *y;
}

Result<SecretString> InfluxdbTokenStrategy::carry(const SecretString& from,
                                                  const SecretString& onto) const {
  auto source = read(from);
  if (!source) return std::move(source).error();
  if (source->token.empty()) {
    return invalid("NoCredential",
                   "the version to go back to holds no token: there is nothing to go back to");
  }
  auto carried =
      TokenSecret::with_credential(Document::parse(onto), source->token, source->authorization_id);
  if (!carried) return carried;
  return within_limit(std::move(carried).value());
}

Result<Strategy::References> InfluxdbTokenStrategy::references(const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  References out;
  if (!secret->admin_secret.empty()) out.secrets.push_back(secret->admin_secret);
  // A database's ARN and host come from GetDbInstance: the guard is asked about them then.
  auto hosts = secret->location.hosts();
  if (!hosts) return std::move(hosts).error();
  out.hosts = std::move(hosts).value();
  return out;
}

}  // namespace keyturn::engine
