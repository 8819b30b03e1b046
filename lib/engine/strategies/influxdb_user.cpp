#include "lib/engine/strategies/influxdb_user.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "lib/base/text.h"
#include "lib/engine/strategies/options.h"

namespace keyturn::engine {

using namespace influxdb;  // NOLINT(google-build-using-namespace): the strategy is made of it

namespace {

constexpr const char* kName = "influxdbUser";

// What every server of version 2 takes, with --strong-passwords too. The special characters are of
// the list that counts there, without the ones that XML and shells are touchiest about: & ( ).
constexpr int kShortest = 8, kLongest = 72, kUsual = 32;
std::vector<std::string> password_classes() {
  return {"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!@#$%^*_+"};
}

// Best effort: a session that is left behind ends by itself, within the hour.
void leave(const Client& session, MonoTime deadline) { (void)session.sign_out(deadline); }

Error other_user(const UserSecret& a, const UserSecret& b, const std::string& what) {
  const bool user = a.login.user == b.login.user;
  return invalid("OtherUser",
                 what +
                     (user ? " is for another server than the current one"
                           : " is for another user than the current one") +
                     "; put into the secret a password that works for the user and the server "
                     "that it names");
}

bool refused(const Result<Client>& session) {
  return !session && session.error().code == "CredentialRefused";
}

// Names no user: a person may have saved a password in that field.
Error nobody_lets_in(const Client& server) {
  return make_error(ErrorClass::Denied, "NoPasswordWorks",
                    "InfluxDB " + server.server().host_port +
                        " accepts neither the current password of the secret's user nor the "
                        "previous one; set the password of AWSCURRENT there, or put one "
                        "that works into the secret");
}

// Ends the session, too.
Status change(const Client& server, const Client& session, const Login& old, const Login& wanted,
              MonoTime deadline) {
  auto changed = session.change_password(old, wanted.password, deadline);
  leave(session, deadline);
  if (changed || changed.error().code != "NotPermitted") return changed;
  // The old password is not the right one any more. It may have been us: where a connection breaks
  // that had been used before, libcurl sends a request once more.
  auto there = server.sign_in(wanted, deadline);
  if (!there) return refused(there) ? changed : Status(there.error());
  leave(*there, deadline);
  return {};
}

}  // namespace

namespace influxdb {

Result<UserSecret> UserSecret::read(const SecretString& value, const Location& option) {
  if (value.empty()) {
    return invalid("NoValueYet",
                   "the secret has no value yet; put a JSON object with username, password and "
                   "dbIdentifier or url");
  }
  UserSecret out{.document = Document::parse(value), .location = {}, .login = {}};
  if (!out.document.is_object()) {
    return invalid("NotAnObject", "the secret's value is not a JSON object (" +
                                      out.document.why_bare() + "); " + kName +
                                      " needs one with username and password");
  }
  Fields fields(out.document, kName);
  fields.check_engine();
  out.location = fields.location(option);
  auto login = Login::read(out.document);
  if (login) {
    out.login = std::move(login).value();
  } else {
    fields.complain(std::move(login).error());
  }
  if (fields.problem()) return *fields.problem();
  return out;
}

bool UserSecret::same_user(const UserSecret& other) const {
  return location == other.location && login.user == other.login.user;
}

}  // namespace influxdb

Result<std::unique_ptr<Strategy>> InfluxdbUserStrategy::make(const nlohmann::json& json,
                                                             const std::string& path,
                                                             const StrategyDeps& deps) {
  Options options(json, path);
  Location location = Location::read(options);
  PasswordRecipe recipe =
      PasswordRecipe::of_length(options, kShortest, kLongest, kUsual, password_classes());
  if (auto done = options.finish(); !done) return std::move(done).error();
  return std::unique_ptr<Strategy>(
      new InfluxdbUserStrategy(std::move(location), std::move(recipe), deps));
}

const Traits& InfluxdbUserStrategy::traits() const {
  static const Traits kTraits{kName, Backend::ForwardOnly, /*can_rollback=*/false,
                              /*can_revoke=*/false, /*soft_revoke=*/false};
  return kTraits;
}

Status InfluxdbUserStrategy::recognise(const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  return {};
}

Result<SecretString> InfluxdbUserStrategy::create(const StepContext& ctx,
                                                  const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  auto password = recipe_.draw(*ctx.rng);
  if (!password) return std::move(password).error();
  return with_password(secret->document, *password);
}

Result<SetResult> InfluxdbUserStrategy::set(const StepContext& ctx, const SecretString& pending,
                                            const SecretString& current,
                                            const SecretString* previous) const {
  auto wanted = read(pending);
  if (!wanted) return std::move(wanted).error().with_context("the pending version");
  auto now = read(current);
  if (!now) return std::move(now).error();
  if (!wanted->same_user(*now)) return other_user(*wanted, *now, "the pending version");
  auto server = access_.server(wanted->location, ctx.deadline);
  if (!server) return std::move(server).error();

  auto session = server->sign_in(wanted->login, ctx.deadline);
  if (session) {
    leave(*session, ctx.deadline);
    return SetResult{};
  }
  if (!refused(session)) return std::move(session).error();
  Login old = std::move(now->login);
  session = server->sign_in(old, ctx.deadline);
  if (refused(session) && previous != nullptr) {
    // What the server was told last, where a person has put something else since. Never another
    // user's.
    auto before = read(*previous);
    if (before && before->same_user(*wanted) && !(before->login.password == old.password)) {
      old = std::move(before->login);
      session = server->sign_in(old, ctx.deadline);
    }
  }
  if (refused(session)) return nobody_lets_in(*server);
  if (!session) return std::move(session).error();
  if (auto changed = change(*server, *session, old, wanted->login, ctx.deadline); !changed)
    return std::move(changed).error();
  return SetResult{};
}

TestResult InfluxdbUserStrategy::test(const StepContext& ctx, const SecretString& value) const {
  if (auto login = Login::read(Document::parse(value)); !login)
    return rejected("the value holds no credential: " + login.error().message);
  auto secret = read(value);
  if (!secret) return unknown(secret.error());  // a matter of the policy, perhaps
  auto server = access_.server(secret->location, ctx.deadline);
  if (!server) return unknown(server.error());
  auto session = server->sign_in(secret->login, ctx.deadline, Client::Connection::Fresh);
  if (!session && session.error().code == "CredentialRefused")
    return rejected(session.error().message);
  if (!session) return unknown(session.error());
  auto me = session->me(ctx.deadline);
  leave(*session, ctx.deadline);
  if (!me) return unknown(me.error());
  return {Verdict::Accepted, "the user signs in with the password", std::nullopt};
}

bool InfluxdbUserStrategy::same_credential(const SecretString& a, const SecretString& b) const {
  if (a == b) return true;
  const auto x = read(a), y = read(b);
  return x.ok() && y.ok() && x->same_user(*y) && x->login.password == y->login.password;
}

Result<SecretString> InfluxdbUserStrategy::carry(const SecretString& from,
                                                 const SecretString& onto) const {
  auto source = read(from);
  if (!source) return std::move(source).error();
  auto current = read(onto);
  if (!current) return std::move(current).error();
  if (!source->same_user(*current))
    return other_user(*source, *current, "the version whose password works");
  return with_password(current->document, source->login.password);
}

Result<Strategy::References> InfluxdbUserStrategy::references(const SecretString& current) const {
  auto secret = read(current);
  if (!secret) return std::move(secret).error();
  // A database's ARN and host come from GetDbInstance: the guard is asked about them then.
  auto hosts = secret->location.hosts();
  if (!hosts) return std::move(hosts).error();
  References out;
  out.hosts = std::move(hosts).value();
  return out;
}

}  // namespace keyturn::engine
