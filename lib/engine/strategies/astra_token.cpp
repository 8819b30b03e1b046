// Making and proving clients; astra_revoke.cpp has what takes them away.
#include "lib/engine/strategies/astra_token.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/text.h"
#include "lib/base/time.h"
#include "lib/engine/strategies/astra_list.h"
#include "lib/engine/strategies/fields.h"
#include "lib/engine/strategies/generic.h"
#include "lib/engine/strategies/mark.h"
#include "lib/engine/strategies/options.h"
#include "lib/engine/strategies/reply_reader.h"
#include "lib/http/url.h"

namespace keyturn::engine {

using namespace astra;  // NOLINT(google-build-using-namespace): the strategy is made of it

namespace {

constexpr const char* kPublicApi = "https://api.astra.datastax.com";
// A pass of the engine asks for the same several times.
constexpr Duration kRemember{60'000};

// The old client's own state speaks against copying it.
Status check_old(const StepContext& ctx, const ClientInfo& old, const Client& root, bool itself) {
  const std::string client = "client " + old.id + " of the current token ";
  if (!old.problem.empty())
    return invalid("ClientUnreadable", client + "cannot be copied: " + old.problem);
  if (!itself && same_client(old.id, root.own_id())) {
    return invalid("RootOfOthers",
                   client +
                       "is that of the root secret, whose other users would lose it: give "
                       "this secret a client of its own, or let rootarn name the secret itself");
  }
  const auto mark = Description::read(old.description).mark;
  if (mark && !same_secret_name(mark->arn, ctx.arn)) {
    return invalid("TokenOfAnotherSecret",
                   client + "was made for secret " + printable(mark->arn) +
                       ", whose readers would lose it: give this secret a client of its own");
  }
  if (old.roles.empty())
    return invalid("NoRoles", client + "has no roles: store the token of one that has");
  const auto expiry = parse_rfc3339(old.expiry);
  if (!old.expiry.empty() && !expiry) {
    return invalid("ClientUnreadable", client + "expires at \"" + printable(old.expiry, 40) +
                                           "\", which is no time that Keyturn knows");
  }
  if (!old.expiry.empty() && *expiry <= ctx.clock->now()) {
    return invalid("TokenExpired", client + "expired at " + printable(old.expiry, 40) +
                                       ", and a new one would expire with it: make one by hand and "
                                       "store its token");
  }
  return {};
}

bool same_time(const std::string& x, const std::string& y) {
  const auto a = parse_rfc3339(x), b = parse_rfc3339(y);
  return x == y || (a && b && *a == *b);
}

// Against the one that it replaces, by the mark. Where that is gone, or the server kept no mark,
// there is nothing to compare with; the reply that made it was compared then.
TestResult compare_with_old(const ClientInfo& mine, const std::vector<ClientInfo>& all) {
  const auto mark = Description::read(mine.description).mark;
  const ClientInfo* old = mark ? find_client(all, mark->replaces) : nullptr;
  if (old == nullptr) return {Verdict::Accepted, "the token works", std::nullopt};
  if (mine.roles != old->roles)
    return rejected("client " + mine.id + " does not have the roles of " + old->id);
  if (!same_time(mine.expiry, old->expiry))
    return rejected("client " + mine.id + " does not expire when " + old->id + " does");
  return {Verdict::Accepted, "the token works, with the roles of the old one", std::nullopt};
}

// That it may do what the old one may, and no longer. A server that drops descriptions drops
// expiries, too, and an access that somebody limited must not become one for ever.
Status check_minted(const Client& root, const Minted& made, const ClientInfo& old,
                    MonoTime deadline) {
  if (!made.roles.empty() && made.roles != old.roles) {
    return invalid("OtherRoles", "Astra made a client with other roles than those of " + old.id +
                                     ", and it was revoked again: has the root token all of them?");
  }
  if (old.expiry.empty()) return {};
  auto all = clients_as_root(root, deadline);
  if (!all) return std::move(all).error();
  const ClientInfo* mine = find_client(*all, made.id);
  if (mine != nullptr && same_time(mine->expiry, old.expiry)) return {};
  return invalid(
      "ExpiryDropped",
      "client " + old.id + " of the current token expires at " + printable(old.expiry, 40) +
          ", but Astra made one that does not, and it was revoked again: make one by hand");
}

}  // namespace

Result<std::unique_ptr<Strategy>> AstraTokenStrategy::make(const nlohmann::json& json,
                                                           const std::string& path,
                                                           const StrategyDeps& deps) {
  Options options(json, path);
  std::string url = options.text("url", kMaxUrl).value_or("");
  if (url.empty()) url = kPublicApi;
  if (auto good = check_server_url(url, kPublicApi); !good)
    options.fail("url", good.error().message);
  if (auto done = options.finish(); !done) return std::move(done).error();
  return std::unique_ptr<Strategy>(new AstraTokenStrategy(std::move(url), deps));
}

const Traits& AstraTokenStrategy::traits() const {
  static const Traits kTraits{"astraToken", Backend::TwoCredentials, /*can_rollback=*/true,
                              /*can_revoke=*/true, /*soft_revoke=*/false};
  return kTraits;
}

Status AstraTokenStrategy::recognise(const SecretString& current) const {
  auto secret = Secret::read(current);
  if (!secret) return std::move(secret).error();
  return check_room(current);
}

Result<SecretString> AstraTokenStrategy::root_token(const std::string& arn) const {
  const MonoTime now = deps_.clock->mono();
  {
    const std::lock_guard lock(mutex_);
    const auto known = roots_.find(arn);
    if (known != roots_.end() && known->second.until > now) return known->second.token.clone();
  }
  auto value = deps_.secrets->get_value(arn, "", "AWSCURRENT");
  if (!value) return std::move(value).error();
  const Document document = Document::parse(value->value);
  Fields fields(document);
  SecretString token = document.is_object() ? fields.secret("astraKey") : SecretString();
  if (value->binary || token.empty() || !fits_a_header(token)) {
    return invalid("RootSecret", "secret " + printable(value->name) +
                                     " must be a JSON object with the root token in astraKey");
  }
  const std::lock_guard lock(mutex_);
  roots_.insert_or_assign(arn, Known{token.clone(), now + kRemember});
  return token;
}

Result<AstraTokenStrategy::Root> AstraTokenStrategy::root(const StepContext& ctx,
                                                          const Secret& secret,
                                                          const SecretString* current) const {
  if (!deps_.complete()) return no_backend_access();
  auto server = allowed_server(deps_, url_);  // no token leaves before it is allowed
  if (!server) return std::move(server).error();
  bool itself = secret.root == ctx.arn;
  std::string arn = secret.root;
  if (!itself) {
    auto named = allowed_secret(deps_, secret.root);
    if (!named) return std::move(named).error().with_context("rootarn");
    arn = named->arn;
    itself = arn == ctx.arn;
  }
  if (itself) {
    // AWSCURRENT may have moved since an earlier call, so that nothing is remembered here.
    auto own =
        current != nullptr ? Result<SecretString>(current->clone()) : current_value(deps_, ctx.arn);
    if (!own) return std::move(own).error();
    auto now = Secret::read(*own);
    if (!now) return std::move(now).error();
    return Root{Client(deps_, *std::move(server), std::move(now->token)), true};
  }
  auto token = root_token(arn);
  if (!token) return std::move(token).error().with_context("rootarn");
  return Root{Client(deps_, *std::move(server), *std::move(token)), false};
}

Result<SecretString> AstraTokenStrategy::create(const StepContext& ctx,
                                                const SecretString& current) const {
  if (auto known = recognise(current); !known) return std::move(known).error();
  auto secret = Secret::read(current);
  if (!secret) return std::move(secret).error();
  auto by = root(ctx, *secret, &current);
  if (!by) return std::move(by).error();
  auto all = clients_as_root(by->client, ctx.deadline);
  if (!all) return std::move(all).error();
  const ClientInfo* old = find_client(*all, secret->client_id);
  if (old == nullptr) {
    return invalid("ClientNotFound",
                   "Astra " + by->client.server().host_port + " knows no client " +
                       secret->client_id +
                       " in the organisation of the root token: store a token that works");
  }
  if (auto good = check_old(ctx, *old, by->client, by->itself); !good)
    return std::move(good).error();
  Description description = Description::read(old->description);
  description.mark = Mark{ctx.arn, ctx.version_id, old->id};
  auto made = by->client.create({old->roles, description.write(), old->expiry}, ctx.deadline);
  if (!made) return std::move(made).error();
  if (same_client(made->id, old->id))
    return make_error(ErrorClass::Transient, "BadReply", "Astra answered with the old client");
  if (auto good = check_minted(by->client, *made, *old, ctx.deadline); !good) {
    (void)by->client.remove(made->id, ctx.deadline);  // made a moment ago, and known to nobody
    return std::move(good).error();
  }
  return Secret::with_credential(secret->document, made->token, made->id, made->secret);
}

Result<SetResult> AstraTokenStrategy::set(const StepContext&, const SecretString&,
                                          const SecretString&, const SecretString*) const {
  return SetResult{};  // the token lives since create()
}

// Astra's 401 has no words of its own that could be told from a proxy's. So one counts only where
// the root is not refused as well.
TestResult AstraTokenStrategy::judge_refusal(const StepContext& ctx, const Secret& secret,
                                             const Error& refused) const {
  auto by = root(ctx, secret, nullptr);
  if (!by) return unknown(by.error());
  if (same_client(by->client.own_id(), secret.client_id)) return unknown(refused);
  auto all = clients_as_root(by->client, ctx.deadline);
  if (!all) return unknown(all.error());
  return rejected(refused.message);
}

TestResult AstraTokenStrategy::test(const StepContext& ctx, const SecretString& value) const {
  auto secret = Secret::read(value);
  if (!secret) return rejected(secret.error().message);
  if (!deps_.complete()) return unknown(no_backend_access());
  auto server = allowed_server(deps_, url_);
  if (!server) return unknown(server.error());
  const Client mine(deps_, *server, secret->token.clone());
  if (auto works = mine.current_org(ctx.deadline); !works) {
    if (works.error().code == "KeyRefused") return judge_refusal(ctx, *secret, works.error());
    return unknown(works.error());
  }
  // A root that is to rotate itself must be able to do a root's work: so it is the one who asks.
  auto by = root(ctx, *secret, &value);
  if (!by) return unknown(by.error());
  auto all = clients_as_root(by->client, ctx.deadline);
  if (!all) return unknown(all.error());
  const ClientInfo* listed = find_client(*all, secret->client_id);
  if (listed == nullptr) {
    return unknown(make_error(
        ErrorClass::Transient, "NotListedYet",
        "the token works, but client " + secret->client_id + " is not in Astra's list (yet)"));
  }
  if (!listed->problem.empty()) return unknown(bad_reply(listed->problem));
  return compare_with_old(*listed, *all);
}

bool AstraTokenStrategy::same_credential(const SecretString& a, const SecretString& b) const {
  if (a == b) return true;
  const Document left = Document::parse(a), right = Document::parse(b);
  const auto both = [&](const char* field, const auto& equal) {
    const auto x = left.get(field), y = right.get(field);
    return x.ok() && y.ok() && !x->empty() && equal(*x, *y);
  };
  return both("/astraKey", [](const auto& x, const auto& y) { return x == y; }) ||
         both("/clientID",
              [](const auto& x, const auto& y) { return same_client(x.reveal(), y.reveal()); });
}

Result<SecretString> AstraTokenStrategy::carry(const SecretString& from,
                                               const SecretString& onto) const {
  auto source = Secret::read(from);
  if (!source) return std::move(source).error();
  auto carried = Secret::with_credential(Document::parse(onto), source->token, source->client_id,
                                         source->client_secret);
  if (!carried) return carried;
  return within_limit(std::move(carried).value());
}

Result<Strategy::References> AstraTokenStrategy::references(const SecretString& current) const {
  auto secret = Secret::read(current);
  if (!secret) return std::move(secret).error();
  auto url = http::parse_url(url_);
  if (!url) return std::move(url).error();
  return References{.secrets = {secret->root}, .resources = {}, .hosts = {url->authority()}};
}

}  // namespace keyturn::engine
