// Users, passwords and sessions of InfluxDB over HTTP, and its set-up.
#include "tests/sandbox/http_date.h"
#include "tests/sandbox/influx_db.h"
#include "tests/sandbox/influx_error.h"
#include "tests/sandbox/influx_request.h"

namespace keyturn::sandbox {
namespace {

constexpr std::size_t kShortest = 8, kLongest = 72;  // bytes: bcrypt reads no further

}  // namespace

void InfluxDb::check_length(const std::string& password) const {
  if (!options_.bounds_passwords && password.size() < kShortest)
    throw InfluxError("invalid", "passwords must be at least 8 characters long");
  if (options_.bounds_passwords && (password.size() < kShortest || password.size() > kLongest))
    throw InfluxError("invalid", "passwords must be between 8 and 72 characters long");
}

void InfluxDb::check_strength(const std::string& password) const {
  check_length(password);
  if (!options_.strong_passwords) return;
  int classes = 0;
  for (const char* kind :
       {"0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "!@#$%^&*()_+"}) {
    classes += password.find_first_of(kind) != std::string::npos ? 1 : 0;
  }
  if (classes < 3) {
    throw InfluxError("invalid",
                      "passwords must contain at least three of the following character types: "
                      "uppercase, lowercase, numbers, and special characters: !@#$%^&*()_+");
  }
}

void InfluxDb::compare_password(const std::string& user, const std::string& password) const {
  const auto found = users_.find(user);
  if (found == users_.end()) throw InfluxError("forbidden", "your userID is incorrect");
  // A user without a password has none that fits.
  if (found->second.password.empty() || found->second.password != password)
    throw InfluxError("forbidden", "your username or password is incorrect");
}

HttpResponse InfluxDb::sign_in(const Caller&, const Request& request, const std::string&) {
  const InfluxError refused("unauthorized", "unauthorized access");
  const auto basic = influx_basic(request);
  const InfluxUser* user = basic ? user_named(basic->username) : nullptr;
  if (!user || user->password.empty() || user->password != basic->password) throw refused;
  try {
    check_length(basic->password);
  } catch (const InfluxError& error) {  // set by an older server that had no upper bound
    throw InfluxError("forbidden", "password change required\n" + error.message);
  }
  const std::string key = new_secret();
  const WallTime expires = clock_.now() + options_.session_length;
  sessions_[key] = {user->id, expires};
  HttpResponse out = influx_no_content();
  out.headers.emplace_back("Set-Cookie", std::string(kInfluxCookie) + "=" + key +
                                             "; Path=/api/; Expires=" + http_date(expires) +
                                             "; HttpOnly; SameSite=Strict");
  return out;
}

HttpResponse InfluxDb::sign_out(const Caller&, const Request& request, const std::string&) {
  const auto found = sessions_.find(influx_session(request).value_or(""));
  const bool live = found != sessions_.end() && found->second.expires > clock_.now();
  if (found != sessions_.end()) sessions_.erase(found);
  if (!live) throw InfluxError("unauthorized", "unauthorized access");
  return influx_no_content();
}

HttpResponse InfluxDb::me(const Caller& caller, const Request&, const std::string&) {
  require(caller, {"read", "users", caller.user, ""});
  return influx_answer(200, user_json(users_.at(caller.user)));
}

// With the old password as Basic; so the caller is known by a cookie.
HttpResponse InfluxDb::put_password(const Caller& caller, const Request& request,
                                    const std::string& id) {
  const auto basic = influx_basic(request);
  if (!basic) {
    throw InfluxError("internal error",
                      "error decoding password reset request: invalid basic auth");
  }
  const std::string password = text_at(Json::parse(request.body), "password");
  const std::string user = id.empty() ? caller.user : influx_id(id);
  require(caller, {"write", "users", user, ""});
  compare_password(user, basic->password);
  check_strength(password);
  users_.at(user).password = password;
  return influx_no_content();
}

HttpResponse InfluxDb::post_password(const Caller& caller, const Request& request,
                                     const std::string& id) {
  const std::string password = text_at(Json::parse(request.body), "password");
  std::string user;
  try {
    user = influx_id(id);
  } catch (const InfluxError&) {
    throw InfluxError("internal error", "invalid user ID provided in route");
  }
  require(caller, {"write", "users", user, ""});
  check_strength(password);
  const auto found = users_.find(user);
  if (found == users_.end()) throw InfluxError("forbidden", "your userID is incorrect");
  found->second.password = password;
  return influx_no_content();
}

Json InfluxDb::user_json(const InfluxUser& user) const {
  return {{"id", user.id},
          {"name", user.name},
          {"status", user.active ? "active" : "inactive"},
          {"links", {{"self", "/api/v2/users/" + user.id}}}};
}

HttpResponse InfluxDb::list_users(const Caller& caller, const Request& request,
                                  const std::string&) {
  const std::string id = influx_id_param(request, "id");
  const std::string name = influx_param(request, "name");
  if (!id.empty() && !users_.contains(id)) throw InfluxError("not found", "user not found");
  if (id.empty() && !name.empty() && !user_named(name))
    throw InfluxError("not found", "user not found");
  Json list = Json::array();
  for (const auto& [key, user] : users_) {
    const bool wanted = id.empty() ? name.empty() || user.name == name : key == id;
    if (wanted && allowed(caller, {"read", "users", key, ""})) list.push_back(user_json(user));
  }
  return influx_answer(200, {{"links", {{"self", "/api/v2/users"}}}, {"users", std::move(list)}});
}

HttpResponse InfluxDb::create_user(const Caller& caller, const Request& request,
                                   const std::string&) {
  const Json body = Json::parse(request.body);
  require(caller, {"write", "users", "", ""});
  InfluxUser& user = new_user(text_at(body, "name"));
  user.active = text_at(body, "status") != "inactive";
  return influx_answer(201, user_json(user));
}

HttpResponse InfluxDb::get_user(const Caller& caller, const Request&, const std::string& id) {
  require(caller, {"read", "users", influx_id(id), ""});
  const auto found = users_.find(id);
  if (found == users_.end()) throw InfluxError("not found", "user not found");
  return influx_answer(200, user_json(found->second));
}

HttpResponse InfluxDb::delete_user(const Caller& caller, const Request&, const std::string& id) {
  require(caller, {"write", "users", influx_id(id), ""});
  if (users_.erase(id) == 0) throw InfluxError("not found", "user not found");
  for (auto& [key, org] : orgs_) org.people.erase(id);
  return influx_no_content();
}

HttpResponse InfluxDb::get_setup(const Caller&, const Request&, const std::string&) {
  return influx_answer(200, Json{{"allowed", users_.empty() && orgs_.empty()}});
}

HttpResponse InfluxDb::post_setup(const Caller&, const Request& request, const std::string&) {
  const Json body = Json::parse(request.body);
  const Setup made =
      set_up_locked(text_at(body, "username"), text_at(body, "password"), text_at(body, "org"),
                    text_at(body, "bucket"), text_at(body, "token"));
  Json authorization = authorization_json(authorizations_.at(made.token_id), true);
  authorization.erase("org");
  authorization.erase("user");
  return influx_answer(201, {{"user", user_json(users_.at(made.user))},
                             {"org", org_json(orgs_.at(made.org))},
                             {"bucket", bucket_json(buckets_.at(made.bucket))},
                             {"auth", std::move(authorization)}});
}

}  // namespace keyturn::sandbox
