// An InfluxDB 2.x of the tests' own, behind a FakeTransport: users, sessions, authorizations and
// the checks that the real one makes (http/authentication_middleware.go,
// authorization/middleware_auth.go of 2.9.1). `hides_values`: as 2.9 does. Knows nothing of the
// product's code.
//
// Thread rule: one thread.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_transport.h"

namespace keyturn::testing {

class InfluxServer {
 public:
  explicit InfluxServer(FakeClock& clock) : clock_(clock) {}

  struct Auth {
    std::string id;
    std::string token;
    bool active = true;
    std::string description;
    std::string user_id;
    nlohmann::json permissions;
    WallTime created{};
  };
  struct User {
    std::string id, name, password;
    bool active = true;
  };
  enum class When { Before, After };  // After: carried out, the answer is lost
  using Fault = std::function<std::optional<Reply>(const http::Request&, When)>;

  static constexpr const char* kOrg = "00000000000000aa";
  static constexpr const char* kAdmin = "00000000000000ad";  // user admin / pa:ss word
  static constexpr const char* kShop = "00000000000000b0";   // user shop

  static nlohmann::json permission(const std::string& action, const std::string& type,
                                   const std::string& id = "", const std::string& org = "");
  static nlohmann::json everything(const std::string& org = "");  // operator; all-access of an org

  User& user(const std::string& id);
  std::size_t open_sessions() const { return sessions_.size(); }
  std::string add(const std::string& token, const std::string& user_id, nlohmann::json permissions,
                  const std::string& description = "");
  Auth* find(const std::string& id);
  Auth* with_token(const std::string& token);
  // What a reader gets: 200, or the status of the refusal.
  bool accepts(const std::string& token) const;

  Reply handle(const http::Request& request);

  bool hides_values = false;
  std::string version = "v2.7.12";
  std::string org_name = "shop-org";
  bool strong_passwords = false;      // --strong-passwords
  std::size_t longest_password = 72;  // before 2.7.6 there was no bound
  std::vector<User> users = {{kAdmin, "admin", "pa:ss word"}, {kShop, "shop", "unused-password"}};
  std::vector<Auth> auths;
  Fault fault;
  std::vector<std::string> log;  // "PATCH /api/v2/authorizations/…"

 private:
  struct Asker {
    std::string user_id;
    nlohmann::json permissions;
    bool active = true;
  };
  Reply answer(const http::Request& request);
  Reply sign_in(const http::Request& request);
  Reply sign_out(const http::Request& request);
  Reply change_password(const Asker& asker, const http::Request& request);
  Reply me(const Asker& asker);
  Reply orgs(const Asker& asker, const std::string& query);
  Reply list(const Asker& asker);
  Reply create(const Asker& asker, const std::string& body);
  Reply one(const Asker& asker, const http::Request& request, const std::string& id);
  std::optional<Asker> authenticate(const http::Request& request) const;
  bool user_active(const Asker& asker) const;
  nlohmann::json render(const Auth& auth, bool with_token) const;
  static bool allowed(const Asker& asker, const nlohmann::json& wanted);

  FakeClock& clock_;
  std::vector<std::pair<std::string, std::string>> sessions_;  // key, user id
  int signed_in_ = 0;
  int made_ = 0;
};

}  // namespace keyturn::testing
