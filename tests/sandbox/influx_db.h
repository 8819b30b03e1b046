// One InfluxDB 2 server in memory, as far as credentials go: organisations, users, buckets,
// authorizations and sessions, with the permission checks of the real one; of the data side only
// what shows whether a token works.
//
// Written from the observable behaviour of the open-source server and held to a real 2.7.12 by
// compare_influx_with_real.py. Its awkward parts are kept on purpose: lists silently leave out what
// the caller may not see (an inactive token gets 200 and nothing), pages are cut before that, a
// session carries the permissions of all its user's tokens, and from 2.9 on a token's value is
// shown once, in the answer that made it.
//
// What only a test may do (make users with any password, see every token) has methods of its own.
// Thread rule: any thread.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/rng.h"
#include "tests/sandbox/call_log.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/influx_permission.h"
#include "tests/sandbox/json.h"

namespace keyturn::sandbox {

struct InfluxUser {
  std::string id, name, password;
  bool active = true;
};

struct InfluxOrg {
  std::string id, name, description;
  WallTime created;
  std::map<std::string, bool> people;  // user id → owner (else member)
};

struct InfluxBucket {
  std::string id, org, name, description;
  bool system = false;
  std::int64_t retention_seconds = 0;
  WallTime created;
};

struct InfluxAuthorization {
  std::string id, token, description, org, user;
  bool active = true;
  InfluxPermissions permissions;
  WallTime created, updated;
};

class InfluxDb {
 public:
  struct Options {
    std::string version = "2.7.12";
    bool hides_tokens = false;  // as 2.9 does by default: the value is shown only once
    bool strong_passwords = false;
    bool bounds_passwords = true;  // as from 2.7.6 on: 72 bytes at most
    std::chrono::seconds session_length{3600};
  };
  // `number` keeps the ids of several servers apart.
  InfluxDb(Options options, const Clock& clock, std::uint64_t number);

  // What faults and counts see of a request: operation "list", "create", "signin", …; resource
  // "authorizations", "users/password", …; name: the id in the path.
  static Call call_of(const HttpRequest& request, const std::string& instance);
  HttpResponse handle(const HttpRequest& request);
  const Options& options() const { return options_; }

  // --- for tests, without permission checks. Names are unique; ids are returned. All throw
  // InfluxError. ---
  struct Setup {
    std::string user, org, bucket, token, token_id;  // ids, and the operator token's value
  };
  Setup set_up(const std::string& username, const std::string& password, const std::string& org,
               const std::string& bucket, const std::string& token = "");
  std::string add_user(const std::string& name, const std::string& password);
  std::string add_org(const std::string& name);
  std::string add_bucket(const std::string& org, const std::string& name);
  void join_org(const std::string& org, const std::string& user, bool owner);
  InfluxAuthorization add_authorization(const std::string& org, const std::string& user,
                                        const InfluxPermissions& permissions,
                                        const std::string& description);
  void set_password(const std::string& user, const std::string& password);  // of any strength
  void set_user_active(const std::string& user, bool active);
  void remove_user(const std::string& user);
  void edit_authorization(const std::string& id, std::optional<bool> active,
                          const std::optional<std::string>& description);
  bool remove_authorization(const std::string& id);
  void expire_sessions();

  std::vector<InfluxAuthorization> authorizations() const;  // true tokens included
  std::vector<InfluxUser> users() const;
  std::vector<InfluxOrg> orgs() const;
  std::vector<InfluxBucket> buckets() const;
  std::size_t sessions() const;

 private:
  struct Session {
    std::string user;
    WallTime expires;
  };
  // Who asks. An inactive token is known, but has no right at all.
  struct Caller {
    std::string user;
    bool usable = true;
    InfluxPermissions rights;
  };
  struct Route;
  static const std::vector<Route>& routes();
  static const Route* route_of(const HttpRequest& request, std::string& id, bool& known_path);

  // Authentication (influx_routes.cpp).
  Caller authenticate(const HttpRequest& request);
  Caller session_caller(const std::string& key);
  static bool allowed(const Caller& caller, const InfluxPermission& wanted);
  static void require(const Caller& caller, const InfluxPermission& wanted);
  HttpResponse route(const HttpRequest& request);
  HttpResponse route_v3(const HttpRequest& request) const;

  // Each serves one route. `id`: the id in the path.
  using Request = HttpRequest;
  HttpResponse ping(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse health(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse get_setup(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse post_setup(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse sign_in(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse sign_out(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse me(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse put_password(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse post_password(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse list_users(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse create_user(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse get_user(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse delete_user(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse list_orgs(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse create_org(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse get_org(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse add_person(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse list_buckets(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse create_bucket(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse get_bucket(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse write(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse query(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse list_tokens(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse create_token(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse get_token(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse patch_token(const Caller& caller, const Request& request, const std::string& id);
  HttpResponse delete_token(const Caller& caller, const Request& request, const std::string& id);

  // State; the lock is held.
  std::string next_id();
  std::string new_secret();
  InfluxUser* user_named(const std::string& name);
  InfluxOrg* org_named(const std::string& name);
  InfluxUser& new_user(const std::string& name);
  InfluxOrg& new_org(const std::string& name);
  InfluxBucket& new_bucket(const std::string& org, const std::string& name, bool system);
  InfluxAuthorization& new_authorization(InfluxAuthorization wanted);
  Setup set_up_locked(const std::string& username, const std::string& password,
                      const std::string& org, const std::string& bucket, const std::string& token);
  InfluxAuthorization& need_authorization(const std::string& id);
  void check_length(const std::string& password) const;
  void check_strength(const std::string& password) const;
  void compare_password(const std::string& user, const std::string& password) const;
  InfluxOrg& org_of_request(const HttpRequest& request);
  void may_read(const Caller& caller, const InfluxAuthorization& authorization) const;
  void may_write(const Caller& caller, const InfluxAuthorization& authorization) const;
  bool may_see(const Caller& caller, const InfluxBucket& bucket) const;

  // Views.
  Json user_json(const InfluxUser& user) const;
  Json org_json(const InfluxOrg& org) const;
  Json bucket_json(const InfluxBucket& bucket) const;
  Json permission_json(const InfluxPermission& permission, bool names) const;
  // Null when its user or organisation is gone.
  Json authorization_json(const InfluxAuthorization& authorization, bool with_token) const;

  const Options options_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  SystemRng rng_;
  std::uint64_t next_id_;
  // By id; ids grow, so that this is the order of creation.
  std::map<std::string, InfluxUser> users_;
  std::map<std::string, InfluxOrg> orgs_;
  std::map<std::string, InfluxBucket> buckets_;
  std::map<std::string, InfluxAuthorization> authorizations_;
  std::map<std::string, Session> sessions_;
  std::string instance_owner_;  // the user who set it up
};

}  // namespace keyturn::sandbox
