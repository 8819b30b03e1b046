// The Kubernetes API over HTTP: routing, authentication, reads, writes. Watches are in kube_watch,
// discovery and OpenAPI in their own files.
// Thread rule: handle() is called from any number of threads.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "tests/sandbox/auth.h"
#include "tests/sandbox/http_server.h"
#include "tests/sandbox/kube_request.h"
#include "tests/sandbox/object_store.h"
#include "tests/sandbox/object_writer.h"
#include "tests/sandbox/resource.h"
#include "tests/sandbox/service_front.h"

namespace keyturn::sandbox {

class KubeApi {
 public:
  KubeApi(ObjectStore& store, Registry& registry, ObjectWriter& writer, Auth& auth,
          ServiceFront& front, const Clock& clock);

  void handle(const HttpRequest& request, HttpExchange& exchange);
  // Continue tokens given out so far expire (410), though the history is still there.
  void expire_continue_tokens();
  // How often idle watches get a bookmark.
  void set_bookmark_interval(Duration interval) { bookmark_interval_ = interval; }

 private:
  HttpResponse process(const HttpRequest& request, const KubeRequest& kube);
  HttpResponse read_one(const HttpRequest& request, const KubeRequest& kube);
  HttpResponse read_list(const HttpRequest& request, const KubeRequest& kube);
  HttpResponse write(const HttpRequest& request, const KubeRequest& kube);
  HttpResponse remove_one(const HttpRequest& request, const KubeRequest& kube);
  HttpResponse remove_many(const HttpRequest& request, const KubeRequest& kube);
  HttpResponse create_token(const HttpRequest& request, const KubeRequest& kube);
  HttpResponse review_access(const HttpRequest& request);
  HttpResponse answer(const ObjectPtr& object, int status, const HttpRequest& request,
                      const Resource& resource);
  HttpResponse nonresource(const HttpRequest& request);
  void authorize(const HttpRequest& request, const KubeRequest& kube) const;

  ObjectStore& store_;
  Registry& registry_;
  ObjectWriter& writer_;
  Auth& auth_;
  ServiceFront& front_;
  const Clock& clock_;
  std::atomic<std::uint64_t> token_epoch_{0};
  std::atomic<Duration> bookmark_interval_{Duration(60'000)};
};

HttpResponse status_response(const ApiError& error);

}  // namespace keyturn::sandbox
