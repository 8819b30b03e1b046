// The kubeconfig file format (client-go tools/clientcmd): reading, merging, choosing a context. No
// network, and no file but those it is given. Thread rule: pure functions and plain values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "controller/kube/exec_plugin.h"
#include "controller/kube/file_source.h"
#include "lib/base/result.h"
#include "lib/base/secret_string.h"

namespace keyturn::kube {

struct ClusterEntry {
  std::string origin;  // `cluster "kind" in /home/me/.kube/config`
  std::string server;
  FileOrData ca;
  bool insecure_skip_verify = false;
  std::string tls_server_name;
  std::string proxy_url;
  std::string exec_extension;  // JSON of the extension for exec plugins
};

struct UserEntry {
  std::string origin;
  SecretString token;
  FileOrData token_file;
  FileOrData client_cert;
  FileOrData client_key;
  std::optional<ExecConfig> exec;
  std::string refused;  // why this user cannot be used here (said only if it is the one chosen)
};

struct ContextEntry {
  std::string origin;
  std::string cluster;
  std::string user;
  std::string ns;
};

struct Kubeconfig {
  std::string files;  // for messages: "a" or "a, b"
  std::string current_context;
  std::map<std::string, ClusterEntry> clusters;
  std::map<std::string, UserEntry> users;
  std::map<std::string, ContextEntry> contexts;
};

// `file` is the absolute path: relative paths in the text are against its folder. Invalid:
// "FILE:LINE: users[me].user.token: …".
Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& file);

// What `first` says stays; whole entries of `later` are added (client-go: the first file to set a
// name wins).
void merge_kubeconfig(Kubeconfig& first, Kubeconfig&& later);

struct Selection {
  ClusterEntry cluster;
  UserEntry user;
  std::string ns;
};
// The named context, or the current one. Invalid names the missing thing and what there is instead.
// Also checks what can be checked without I/O.
Result<Selection> select_context(Kubeconfig&& config, const std::string& context);

}  // namespace keyturn::kube
