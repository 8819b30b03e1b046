#include "controller/kube/config.h"

#include <gtest/gtest.h>

#include "lib/base/text.h"
#include "tests/unit/kube/config_testing.h"

namespace keyturn::kube {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << text

TEST(Config, TokenAndNamespaceFromTheCurrentContext) {
  ConfigBench bench;
  auto connection = bench.load(bench.kubeconfig("token: abc", "server: 'https://api.test:6443/'"));
  ASSERT_TRUE(connection) << connection.error().describe();
  auto access = (*connection)->access();
  ASSERT_TRUE(access);
  EXPECT_EQ(access->server, "https://api.test:6443");
  EXPECT_EQ(access->bearer_token.reveal(), "abc");
  EXPECT_EQ(access->tls->ca_pem, "");
  EXPECT_EQ((*connection)->default_namespace(), "shop");
  EXPECT_HAS((*connection)->credentials_origin(),
             "the token of user \"u\" in " + bench.dir.string());
}

TEST(Config, ClusterOptions) {
  ConfigBench bench;
  auto connection =
      bench.load(bench.kubeconfig("token: abc",
                                  "server: https://10.0.0.1, insecure-skip-tls-verify: true, "
                                  "tls-server-name: api.internal, proxy-url: 'http://proxy:3128'"));
  ASSERT_TRUE(connection) << connection.error().describe();
  auto access = (*connection)->access();
  EXPECT_TRUE(access->tls->insecure_skip_verify);
  EXPECT_EQ(access->tls->server_name, "api.internal");
  EXPECT_EQ(access->proxy, "http://proxy:3128");
}

TEST(Config, CertificatesFromDataAndFilesRelativeToTheirKubeconfig) {
  ConfigBench bench;
  const PemPair pair = make_pem_pair();
  bench.write("sub/ca.pem", pair.cert);
  bench.write("sub/key.pem", pair.key);
  const std::string file =
      bench.kubeconfig("client-certificate-data: " + base64(pair.cert) +
                           ", client-certificate: ignored, client-key: key.pem",
                       "server: https://a, certificate-authority: ./ca.pem", "sub/config");
  auto connection = bench.load(file);
  ASSERT_TRUE(connection) << connection.error().describe();
  auto access = (*connection)->access();
  EXPECT_EQ(access->tls->ca_pem, pair.cert);
  EXPECT_EQ(access->tls->client_cert_pem, pair.cert);
  EXPECT_EQ(access->tls->client_key_pem, pair.key);
  EXPECT_TRUE(access->bearer_token.empty());
}

TEST(Config, FilesOfKubeconfigVariableAreMergedFirstWins) {
  ConfigBench bench;
  bench.write("a", "current-context: two\nusers: [{name: u, user: {token: from-a}}]\n");
  bench.write("b",
              "current-context: one\nusers: [{name: u, user: {token: from-b}}, {name: v, user: "
              "{token: v}}]\n"
              "clusters: [{name: c, cluster: {server: https://b}}]\n"
              "contexts: [{name: one, context: {cluster: c, user: v}}, {name: two, context: "
              "{cluster: c, user: u}}]\n");
  const std::string dir = bench.dir.string();
  bench.env["KUBECONFIG"] = dir + "/missing::" + dir + "/a:" + dir + "/b";
  auto connection = bench.load();
  ASSERT_TRUE(connection) << connection.error().describe();
  EXPECT_EQ((*connection)->access()->bearer_token.reveal(), "from-a");
  EXPECT_EQ((*connection)->default_namespace(), "default");
  bench.options.context = "one";
  EXPECT_EQ((*bench.load())->access()->bearer_token.reveal(), "v");
}

TEST(Config, DefaultFileOfTheHome) {
  ConfigBench bench;
  bench.kubeconfig("token: home", "server: https://h", ".kube/config");
  bench.env["HOME"] = bench.dir.string();
  auto connection = bench.load();
  ASSERT_TRUE(connection) << connection.error().describe();
  EXPECT_EQ((*connection)->access()->bearer_token.reveal(), "home");
}

TEST(Config, InCluster) {
  ConfigBench bench;
  bench.env = {{"HOME", "/nonexistent"},
               {"KUBERNETES_SERVICE_HOST", "fd00::1"},
               {"KUBERNETES_SERVICE_PORT", "443"}};
  bench.write("sa/token", "pod-token\n");
  bench.write("sa/ca.crt", make_pem_pair().cert);
  bench.write("sa/namespace", "keyturn-system");
  auto connection = bench.load();
  ASSERT_TRUE(connection) << connection.error().describe();
  auto access = (*connection)->access();
  EXPECT_EQ(access->server, "https://[fd00::1]:443");
  EXPECT_EQ(access->bearer_token.reveal(), "pod-token");
  EXPECT_EQ((*connection)->default_namespace(), "keyturn-system");
}

TEST(Config, InClusterWithoutTokenSaysWhatToMount) {
  ConfigBench bench;
  bench.env = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}};
  auto connection = bench.load();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().cls, ErrorClass::Invalid);
  EXPECT_HAS(connection.error().message, "automountServiceAccountToken");
}

TEST(Config, TokenFileIsReadAgainEachMinuteAndTheLastGoodOneKept) {
  ConfigBench bench;
  bench.write("token", " one \n");
  auto loaded = bench.load(bench.kubeconfig("tokenFile: token"));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  Connection& connection = **loaded;
  bench.write("token", "two");
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "one");
  bench.clock.advance(Duration(50'000));
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "two");
  bench.write("token", " \n");  // empty is an error, not a token
  bench.clock.advance(Duration(50'000));
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "two");
  std::filesystem::remove(bench.dir / "token");
  bench.clock.advance(Duration(10'000));
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "two");
  bench.write("token", "three");
  bench.clock.advance(Duration(10'000));  // after a failure sooner than in a minute
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "three");
  bench.write("token", "four");
  connection.unauthorized();
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "four");
}

TEST(Config, CaFileIsReadAgainAndABrokenOneNotTaken) {
  ConfigBench bench;
  const std::string first = make_pem_pair().cert, second = make_pem_pair().cert;
  bench.write("ca", first);
  auto loaded =
      bench.load(bench.kubeconfig("token: t", "server: https://a, certificate-authority: ca"));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  const auto tls = (*loaded)->access()->tls;
  bench.clock.advance(Duration(60'000));
  EXPECT_EQ((*loaded)->access()->tls, tls);  // unchanged: the same object keeps connections alive
  bench.write("ca", "half a certifi");
  bench.clock.advance(Duration(60'000));
  EXPECT_EQ((*loaded)->access()->tls->ca_pem, first);
  bench.write("ca", second);
  bench.clock.advance(Duration(60'000));
  EXPECT_EQ((*loaded)->access()->tls->ca_pem, second);
}

TEST(Config, ClientPairIsReplacedOnlyAsAWhole) {
  ConfigBench bench;
  const PemPair first = make_pem_pair(), second = make_pem_pair();
  bench.write("cert", first.cert);
  bench.write("key", first.key);
  auto loaded = bench.load(bench.kubeconfig("client-certificate: cert, client-key: key"));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  bench.write("cert", second.cert);
  bench.clock.advance(Duration(60'000));
  EXPECT_EQ((*loaded)->access()->tls->client_cert_pem, first.cert);
  bench.write("key", second.key);
  bench.clock.advance(Duration(60'000));
  EXPECT_EQ((*loaded)->access()->tls->client_cert_pem, second.cert);
  EXPECT_EQ((*loaded)->access()->tls->client_key_pem, second.key);
}

TEST(Config, PlainHttpSendsNoCredentials) {
  ConfigBench bench;
  auto loaded = bench.load(bench.kubeconfig("token: t", "server: http://127.0.0.1:8080"));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  EXPECT_TRUE((*loaded)->access()->bearer_token.empty());
}

TEST(ConfigErrors, NameFileLineAndField) {
  ConfigBench bench;
  const std::string dir = bench.dir.string();
  const auto of = [&](const std::string& text) { return bench.error_of(bench.write("bad", text)); };
  EXPECT_HAS(of("a: 1\nb: [\n"), dir + "/bad:");
  EXPECT_HAS(of("a: 1\nb: {c: }}\n"), "malformed YAML");
  EXPECT_HAS(of("a: 1\nb: {c: }}\n"), "/bad:2:");
  EXPECT_HAS(of("clusters:\n- name: c\n  cluster:\n    server: [x]\n"),
             "/bad:4: clusters[c].cluster.server: must be a string");
  EXPECT_HAS(of("users:\n- user: {}\n"), "/bad:2: users[0]: has no name");
  EXPECT_HAS(of("users: [{name: a}, {name: a}]\n"), "\"a\" appears twice");
  EXPECT_HAS(of("users: {}\n"), "users: must be a list");
  EXPECT_HAS(of("[1, 2]\n"), "not a kubeconfig");
  EXPECT_HAS(of("kind: Deployment\n"), "kind: must be Config");
  EXPECT_HAS(of(""), "current-context is not set");
  EXPECT_HAS(of("clusters:\n- name: c\n  cluster: {certificate-authority-data: '%%'}\n"),
             "is not valid base64");
  EXPECT_HAS(of("clusters:\n- name: c\n  cluster: {insecure-skip-tls-verify: maybe}\n"),
             "must be true or false");
}

TEST(ConfigErrors, MissingContextClusterUserSayWhatThereIs) {
  ConfigBench bench;
  const std::string contexts =
      "contexts: [{name: one, context: {cluster: c, user: u}}, {name: two, context: {}}]\n";
  EXPECT_HAS(bench.error_of(bench.write("f", "current-context: three\n" + contexts)),
             "no context \"three\" (current-context); there is: one, two");
  EXPECT_HAS(bench.error_of(bench.write("f", contexts)), "--context; there is: one, two");
  EXPECT_HAS(bench.error_of(bench.write("f", "current-context: one\n" + contexts)),
             "context \"one\" in " + bench.dir.string() + "/f: its cluster \"c\" is not in");
  EXPECT_HAS(
      bench.error_of(bench.write("f", "current-context: one\nclusters: [{name: c}]\n" + contexts)),
      "its user \"u\" is not in");
}

TEST(ConfigErrors, WhatCannotBeUsedIsRefusedOnlyWhenChosen) {
  ConfigBench bench;
  EXPECT_HAS(
      bench.error_of(bench.kubeconfig("username: a, password: hunter2")),
      "user \"u\" in " + bench.dir.string() + "/config: username and password are not supported");
  EXPECT_HAS(bench.error_of(bench.kubeconfig("auth-provider: {name: gcp}")), "exec plugins");
  EXPECT_HAS(bench.error_of(bench.kubeconfig("token: t, as: admin")), "impersonation");
  auto other = bench.load(bench.write(
      "f",
      "current-context: x\nclusters: [{name: c, cluster: {server: https://a}}]\n"
      "contexts: [{name: x, context: {cluster: c}}]\nusers: [{name: b, user: {username: a}}]\n"));
  EXPECT_TRUE(other) << other.error().describe();
}

TEST(ConfigErrors, CertificatesAndServer) {
  ConfigBench bench;
  const PemPair pair = make_pem_pair();
  const std::string bad_ca = bench.error_of(bench.kubeconfig(
      "token: t", "server: https://a, certificate-authority-data: " + base64(std::string("junk"))));
  EXPECT_HAS(bad_ca, "certificate-authority-data of cluster \"c\" in ");
  EXPECT_HAS(bad_ca, "holds no PEM certificate");
  EXPECT_HAS(bench.error_of(bench.kubeconfig(
                 "token: t", "server: https://a, certificate-authority: /nonexistent/ca")),
             "cannot read /nonexistent/ca: No such file");
  EXPECT_HAS(bench.error_of(bench.kubeconfig("client-certificate-data: " + base64(pair.cert))),
             "must come together");
  EXPECT_HAS(bench.error_of(bench.kubeconfig("client-certificate-data: " + base64(pair.cert) +
                                             ", client-key-data: " + base64(make_pem_pair().key))),
             "does not belong to the certificate");
  EXPECT_HAS(bench.error_of(bench.kubeconfig("token: t", "server: ''")), "cluster \"c\"");
  EXPECT_HAS(bench.error_of(bench.kubeconfig("token: t", "server: 'ftp://a'")), ": server: ");
  EXPECT_HAS(bench.error_of(bench.kubeconfig(
                 "token: t",
                 "server: https://a, insecure-skip-tls-verify: true, certificate-authority: x")),
             "cannot be true together");
  EXPECT_HAS(bench.error_of(bench.kubeconfig("tokenFile: nowhere")), "tokenFile of user \"u\"");
}

TEST(ConfigErrors, NothingFound) {
  ConfigBench bench;
  bench.env["HOME"] = bench.dir.string();
  EXPECT_HAS(bench.error_of(""), bench.dir.string() + "/.kube/config does not exist");
  EXPECT_HAS(bench.error_of(bench.dir.string() + "/absent"), "--kubeconfig: cannot read");
  bench.env["KUBECONFIG"] = "/nonexistent/one";
  EXPECT_HAS(bench.error_of(""), "$KUBECONFIG: cannot read /nonexistent/one");
}

TEST(ConfigErrors, NeverQuoteSecrets) {
  ConfigBench bench;
  for (const char* user : {"token: [hunter2]", "client-key-data: hunter2",
                           "exec: {command: x, apiVersion: hunter2}"}) {
    EXPECT_FALSE(has(bench.error_of(bench.kubeconfig(user)), "hunter2")) << user;
  }
}

}  // namespace
}  // namespace keyturn::kube
