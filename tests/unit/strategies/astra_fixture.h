// What the tests of astraToken share: an organisation at the sandbox's Astra (written apart from
// the product), its root secret, and a secret in the original's format.
#pragma once

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/sandbox/astra_api.h"
#include "tests/unit/strategies/backend_fixture.h"

namespace keyturn::engine {

class AstraTest : public WithEngine<BackendTest> {
 protected:
  using Reply = keyturn::testing::Reply;
  enum class When { Before, After };  // After: carried out, the answer is lost
  static constexpr const char* kApi = "https://api.astra.datastax.com";

  AstraTest() : WithEngine("astraToken"), api(clock), root(api.create_org("shop", {})) {
    transport->on_request([this](const http::Request& request) { return answer(request); });
    root_arn = secrets.add_secret("shop/astra-root", value_of(root, "shop/astra-root").dump());
    old = add();
    use({});
  }

  static nlohmann::json value_of(const sandbox::AstraClient& client, const std::string& rootarn) {
    return {{"astraKey", client.token},
            {"clientID", client.id},
            {"clientSecret", client.secret},
            {"engine", "Astra"},
            {"rootarn", rootarn}};
  }
  sandbox::AstraClient add(const std::string& role = "Reader", const std::string& description = "",
                           const std::string& expiry = "") {
    return api.add_client("shop", {role}, description, expiry);
  }
  // The old client is another one.
  void replace_old(sandbox::AstraClient by) {
    if (old.id != root.id) api.remove_client("shop", old.id);
    old = std::move(by);
  }
  nlohmann::json original() const { return value_of(old, root_arn); }
  void store(const nlohmann::json& value, const std::string& name = "shop/orders-astra") {
    arn = secrets.add_secret(name, value.dump());
    first = secrets.holder(arn, "AWSCURRENT");
  }
  // The root secret is the one that is rotated.
  void rotate_root() {
    arn = root_arn;
    first = secrets.holder(arn, "AWSCURRENT");
    old = root;
  }

  std::vector<sandbox::AstraClient> clients() const { return api.clients("shop"); }
  std::optional<sandbox::AstraClient> client(const std::string& id) const {
    for (auto& one : clients()) {
      if (one.id == id) return one;
    }
    return std::nullopt;
  }
  bool there(const sandbox::AstraClient& one) const { return client(one.id).has_value(); }
  // What a reader gets.
  bool accepts(const std::string& token) {
    http::Request request;
    request.url = std::string(kApi) + "/v2/currentOrg";
    request.headers = {{"Authorization", "Bearer " + token}};
    return ask(request).status == 200;
  }
  // Other clients than the root, the old and the current one.
  std::vector<std::string> strays() const {
    std::vector<std::string> out;
    for (const auto& one : clients()) {
      if (one.id != root.id && one.id != old.id && one.id != current().value("clientID", ""))
        out.push_back(one.id);
    }
    return out;
  }
  void expect_only_the_current_one() {
    ASSERT_TRUE(moved()) << last;
    EXPECT_FALSE(there(old)) << last;
    EXPECT_EQ(strays(), std::vector<std::string>{});
    EXPECT_TRUE(accepts(current().at("astraKey")));
    EXPECT_EQ(secrets.holder(arn, "AWSPENDING"), "");
    EXPECT_EQ(secrets.holder(arn, "KEYTURN_BATON"), "");
  }

  sandbox::AstraApi api;
  sandbox::AstraClient root, old;
  std::string root_arn;
  std::function<std::optional<Reply>(const http::Request&, When)> fault;
  std::vector<std::string> log;  // "DELETE /v2/clientIdSecrets/…"

 private:
  sandbox::HttpResponse ask(const http::Request& request) {
    sandbox::HttpRequest to;
    to.method = request.method;
    to.path = request.url.substr(request.url.find('/', std::string("https://").size()));
    to.headers = request.headers;
    to.body = request.body;
    return api.handle(to);
  }
  Reply answer(const http::Request& request) {
    log.push_back(request.method + " " + request.url.substr(std::string(kApi).size()));
    if (fault) {
      if (auto reply = fault(request, When::Before)) return *std::move(reply);
    }
    const auto response = ask(request);
    if (fault) {
      if (auto reply = fault(request, When::After)) return *std::move(reply);
    }
    return Reply::of(response.status, response.body, response.headers);
  }
};

// The strategy alone, step by step.
class AstraTokenTest : public AstraTest {
 protected:
  AstraTokenTest() { store(original()); }

  SecretString made(const std::string& version = "v1") {
    auto next = strategy->create(context(version), text(current()));
    EXPECT_TRUE(next.ok()) << next.error().message;
    return next.ok() ? std::move(next).value() : SecretString();
  }
  // Every answer to such a request is this one.
  void answer_with(const std::string& method, const std::string& path, int status,
                   const std::string& body) {
    fault = [=](const http::Request& request, When) -> std::optional<Reply> {
      if (request.method != method || !request.url.starts_with(kApi + path)) return std::nullopt;
      return Reply::of(status, body);
    };
  }
  std::size_t writes() const {
    return static_cast<std::size_t>(std::count_if(
        log.begin(), log.end(), [](const std::string& line) { return !line.starts_with("GET"); }));
  }
};

}  // namespace keyturn::engine
