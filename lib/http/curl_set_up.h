// What every use of libcurl sets on its handle: sockets, deadlines, proxy, trust. Internal to
// lib/http. Thread rule: a handle belongs to one thread at a time. What is passed must outlive the
// transfer.
#pragma once

#include <curl/curl.h>

#include <string>

#include "lib/http/transport.h"

namespace keyturn::http {

// `proxy`: "" for none.
void set_up_connection(CURL* easy, const Request& request, const std::string& proxy);
// Verified TLS, 1.2 at least. `tls`: null for the system's trust.
void set_up_tls(CURL* easy, const TlsConfig* tls);

}  // namespace keyturn::http
