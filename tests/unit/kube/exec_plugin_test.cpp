#include "controller/kube/exec_plugin.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "controller/kube/subprocess.h"
#include "lib/base/text.h"
#include "lib/base/time.h"
#include "tests/unit/kube/config_testing.h"

namespace keyturn::kube {
namespace {

using nlohmann::json;

constexpr const char* kV1 = "client.authentication.k8s.io/v1";

std::string exec_user(const std::string& command, const std::string& more = "") {
  return std::string("exec: {apiVersion: ") + kV1 + ", command: " + command +
         ", interactiveMode: Never" + more + "}";
}

std::string credential(const std::string& status) {
  return std::string(R"({"apiVersion":")") + kV1 + R"(","kind":"ExecCredential","status":{)" +
         status + "}}";
}

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Prints a token with a number that grows with every run.
std::string counting_plugin(const ConfigBench& bench, const std::string& extra = "") {
  const std::string count = (bench.dir / "count").string();
  return bench.script("plugin", "echo x >> " + count + "\nn=$(wc -l < " + count +
                                    " | tr -d ' ')\n" + "printf '" +
                                    credential(R"("token":"t%s")" + extra) + "' $n\n");
}

TEST(ExecPlugin, GivesATokenAndKeepsItUntilRefused) {
  ConfigBench bench;
  counting_plugin(bench);
  auto loaded = bench.load(bench.kubeconfig(exec_user("./plugin")));  // relative to the kubeconfig
  ASSERT_TRUE(loaded) << loaded.error().describe();
  Connection& connection = **loaded;
  auto access = connection.access();
  ASSERT_TRUE(access) << access.error().describe();
  EXPECT_EQ(access->bearer_token.reveal(), "t1");
  bench.clock.advance(Duration(3'600'000));
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "t1");
  connection.unauthorized();
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "t2");
  connection.unauthorized();  // refused again at once: no storm of processes
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "t2");
  bench.clock.advance(Duration(5'000));
  EXPECT_EQ(connection.access()->bearer_token.reveal(), "t3");
}

TEST(ExecPlugin, RunsAgainNearExpiry) {
  ConfigBench bench;
  const std::string expires = format_rfc3339(bench.clock.now() + Duration(600'000));
  counting_plugin(bench, R"(,"expirationTimestamp":")" + expires + "\"");
  auto loaded = bench.load(bench.kubeconfig(exec_user("./plugin")));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  EXPECT_EQ((*loaded)->access()->bearer_token.reveal(), "t1");
  bench.clock.advance(Duration(589'000));
  EXPECT_EQ((*loaded)->access()->bearer_token.reveal(), "t1");
  bench.clock.advance(Duration(2'000));
  EXPECT_EQ((*loaded)->access()->bearer_token.reveal(), "t2");
}

TEST(ExecPlugin, FailureKeepsWhatHasNotExpired) {
  ConfigBench bench;
  const std::string expires = format_rfc3339(bench.clock.now() + Duration(600'000));
  counting_plugin(bench, R"(,"expirationTimestamp":")" + expires + "\"");
  auto loaded = bench.load(bench.kubeconfig(exec_user("./plugin")));
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->access()->bearer_token.reveal(), "t1");
  bench.script("plugin", "exit 3\n");
  bench.clock.advance(Duration(592'000));
  EXPECT_EQ((*loaded)->access()->bearer_token.reveal(), "t1");
  bench.clock.advance(Duration(9'000));
  const auto failed = (*loaded)->access();
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("ended with status 3"), std::string::npos)
      << failed.error().message;
  EXPECT_NE(failed.error().message.find("run it by hand"), std::string::npos);
}

TEST(ExecPlugin, GivesAClientCertificate) {
  ConfigBench bench;
  const PemPair pair = make_pem_pair();
  const json status = {
      {"apiVersion", kV1},
      {"kind", "ExecCredential"},
      {"status", {{"clientCertificateData", pair.cert}, {"clientKeyData", pair.key}}}};
  bench.write("out.json", status.dump());
  bench.script("plugin", "cat " + (bench.dir / "out.json").string() + "\n");
  auto loaded =
      bench.load(bench.kubeconfig(exec_user("./plugin"), "server: https://a, tls-server-name: n"));
  ASSERT_TRUE(loaded);
  auto access = (*loaded)->access();
  ASSERT_TRUE(access) << access.error().describe();
  EXPECT_EQ(access->tls->client_cert_pem, pair.cert);
  EXPECT_EQ(access->tls->client_key_pem, pair.key);
  EXPECT_EQ(access->tls->server_name, "n");
  EXPECT_EQ((*loaded)->access()->tls, access->tls);
}

TEST(ExecPlugin, GetsArgumentsEnvironmentAndClusterInfo) {
  ConfigBench bench;
  const std::string ca = make_pem_pair().cert;
  bench.script("plugin",
               "printf '%s|%s|%s' \"$1\" \"$2\" \"$EXTRA\" > " + (bench.dir / "seen").string() +
                   "\nprintf '%s' \"$KUBERNETES_EXEC_INFO\" > " + (bench.dir / "info").string() +
                   "\nprintf '" + credential(R"("token":"t")") + "'\n");
  auto loaded = bench.load(bench.kubeconfig(
      exec_user(
          "./plugin",
          ", args: [one, 'two words'], env: [{name: EXTRA, value: e}], provideClusterInfo: true"),
      "server: https://a, certificate-authority-data: " + base64(ca) +
          ", extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x, n: 3, "
          "q: '3', b: true}}]"));
  ASSERT_TRUE(loaded) << loaded.error().describe();
  ASSERT_TRUE((*loaded)->access());
  EXPECT_EQ(slurp(bench.dir / "seen"), "one|two words|e");
  const json info = json::parse(slurp(bench.dir / "info"));
  EXPECT_EQ(info["apiVersion"], kV1);
  EXPECT_EQ(info["kind"], "ExecCredential");
  EXPECT_EQ(info["spec"]["interactive"], false);
  EXPECT_EQ(info["spec"]["cluster"]["server"], "https://a");
  EXPECT_EQ(info["spec"]["cluster"]["certificate-authority-data"], base64(ca));
  EXPECT_EQ(info["spec"]["cluster"]["config"],
            (json{{"audience", "x"}, {"n", 3}, {"q", "3"}, {"b", true}}));
}

TEST(ExecPlugin, ATokenInTheFileComesFirst) {
  ConfigBench bench;
  auto loaded = bench.load(bench.kubeconfig("token: static, " + exec_user("/nonexistent/x")));
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->access()->bearer_token.reveal(), "static");
}

TEST(ExecPlugin, MissingProgramShowsTheInstallHint) {
  ConfigBench bench;
  auto loaded = bench.load(bench.kubeconfig(
      exec_user("no-such-keyturn-plugin", ", installHint: 'get it at example.test'")));
  ASSERT_TRUE(loaded);
  const auto access = (*loaded)->access();
  ASSERT_FALSE(access);
  EXPECT_EQ(access.error().cls, ErrorClass::Invalid);
  EXPECT_NE(access.error().message.find("get it at example.test"), std::string::npos)
      << access.error().message;
}

TEST(ExecPlugin, SettingsAreChecked) {
  ConfigBench bench;
  const auto error = [&](const std::string& exec) {
    return bench.error_of(bench.kubeconfig("exec: {" + exec + "}"));
  };
  EXPECT_NE(error("command: x").find("exec.apiVersion: must be"), std::string::npos);
  EXPECT_NE(
      error("apiVersion: client.authentication.k8s.io/v1alpha1, command: x").find("apiVersion"),
      std::string::npos);
  EXPECT_NE(error(std::string("apiVersion: ") + kV1).find("has no command"), std::string::npos);
  EXPECT_NE(error(std::string("command: x, apiVersion: ") + kV1).find("interactiveMode: must be"),
            std::string::npos);
  EXPECT_TRUE(bench.load(
      bench.kubeconfig("exec: {command: x, apiVersion: client.authentication.k8s.io/v1beta1}")));
}

TEST(ExecCredential, RefusesWhatCannotBeUsed) {
  ExecConfig config;
  config.api_version = kV1;
  config.command = "plugin";
  config.origin = "user \"u\"";
  const PemPair pair = make_pem_pair();
  const auto error = [&](const std::string& text) {
    auto decoded = decode_exec_credential(text, config);
    EXPECT_FALSE(decoded) << text;
    return decoded ? "" : decoded.error().message;
  };
  EXPECT_NE(error("hunter2").find("not a JSON object"), std::string::npos);
  EXPECT_EQ(error("hunter2").find("hunter2"), std::string::npos);
  EXPECT_NE(error(R"({"kind":"X"})").find("kind is not ExecCredential"), std::string::npos);
  EXPECT_NE(
      error(R"({"kind":"ExecCredential","apiVersion":"v0"})").find("its apiVersion is \"v0\""),
      std::string::npos);
  EXPECT_NE(error(credential("")).find("neither a token nor"), std::string::npos);
  EXPECT_NE(error(credential(R"("clientKeyData":"x")")).find("must come together"),
            std::string::npos);
  EXPECT_NE(error(credential(R"("clientKeyData":"x","clientCertificateData":"y")"))
                .find("no PEM certificate"),
            std::string::npos);
  EXPECT_NE(error(credential(R"("token":"t","expirationTimestamp":"soon")")).find("RFC 3339"),
            std::string::npos);
  EXPECT_TRUE(decode_exec_credential(credential(R"("token":"t")"), config));
}

TEST(Subprocess, TimeOutKillsTheWholeGroup) {
  ConfigBench bench;
  Subprocess process;
  process.command = bench.script(
      "slow", "sleep 600 & echo $! > " + (bench.dir / "pid").string() + "\nsleep 600\n");
  process.timeout = Duration(500);
  const auto result = run(process);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("did not end within"), std::string::npos);
  // The grandchild is gone or about to be: signalled, and no longer ours to wait for.
}

TEST(Subprocess, AGrandchildHoldingThePipeDoesNotDelay) {
  ConfigBench bench;
  Subprocess process;
  process.command = bench.script("fork", "sleep 5 &\necho done\n");
  process.timeout = Duration(60'000);
  const auto result = run(process);
  ASSERT_TRUE(result) << result.error().describe();
  EXPECT_EQ(result->reveal(), "done\n");
}

TEST(Subprocess, SignalsStatusAndOutputLimit) {
  ConfigBench bench;
  Subprocess process;
  process.command = bench.script("killed", "kill -9 $$\n");
  EXPECT_NE(run(process).error().message.find("signal 9"), std::string::npos);
  process.command = bench.script("flood", "yes\n");
  EXPECT_NE(run(process).error().message.find("more than 1 MiB"), std::string::npos);
  process.command = bench.dir.string();
  EXPECT_FALSE(run(process));
}

}  // namespace
}  // namespace keyturn::kube
