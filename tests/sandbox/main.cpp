// keyturn-sandbox: a Kubernetes API and Secrets Manager in memory, for trying Keyturn and testing
// it.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/sandbox/sandbox.h"

namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Whole or not at all: readers wait for the name to appear.
void write_file(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".tmp";
  {
    std::ofstream out(temporary);
    fs::permissions(temporary, fs::perms::owner_read | fs::perms::owner_write);
    out << text;
    if (!out.flush()) throw std::runtime_error("cannot write " + temporary.string());
  }
  fs::rename(temporary, path);
}

int run(const fs::path& dir, const keyturn::sandbox::SandboxOptions& options,
        const std::vector<std::string>& files) {
  // Blocked before any thread exists, so that all inherit it and sigwait() gets the signal.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  fs::create_directories(dir);
  fs::remove(dir / "ready");
  keyturn::sandbox::Sandbox sandbox(options);
  for (const std::string& file : files) {
    try {
      sandbox.load(read_file(file));
    } catch (const std::exception& error) {
      throw std::runtime_error(file + ": " + error.what());
    }
  }
  const fs::path kubeconfig = fs::absolute(dir / "kubeconfig");
  write_file(kubeconfig, sandbox.kubeconfig());
  write_file(dir / "ca.crt", sandbox.ca_pem());
  write_file(dir / "token", sandbox.token());
  write_file(dir / "env", sandbox.env(kubeconfig.string()));
  write_file(dir / "ready", "");
  std::cout << "kubernetes " << sandbox.kube_url() << "\naws        " << sandbox.aws_url()
            << "\nadmin      " << sandbox.admin_url() << "\nsource "
            << fs::absolute(dir / "env").string() << std::endl;
  int signal = 0;
  sigwait(&stop, &signal);
  fs::remove(dir / "ready");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "A Kubernetes API and AWS Secrets Manager in memory, strict about protocol, with faults to "
      "order");
  std::string dir;
  keyturn::sandbox::SandboxOptions options;
  std::vector<std::string> files;
  app.add_option("--dir", dir, "where kubeconfig, env and ready are written")->required();
  app.add_option("--kube-port", options.kube_port, "port of the Kubernetes API (0: any)");
  app.add_option("--aws-port", options.aws_port,
                 "port of Secrets Manager and STS, plain HTTP (0: any)");
  app.add_option("--aws-tls-port", options.aws_tls_port, "the same over TLS (0: any)");
  app.add_option("--admin-port", options.admin_port, "port of the control API (0: any)");
  app.add_option("--seed", options.seed, "of everything random that tests depend on");
  app.add_option("--history", options.history, "watch events kept for each resource");
  app.add_option("--region", options.region,
                 "AWS region of env and of secrets made through the control API");
  app.add_option("--load", files, "YAML files with objects to start with (CRDs first)");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(dir, options, files);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "keyturn-sandbox: %s\n", error.what());
    return 1;
  }
}
