// The addon's entry.
#include <napi.h>

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("version", MUONSCOPE_VERSION);
  return exports;
}

}  // namespace

NODE_API_MODULE(muonscope, initialize)
