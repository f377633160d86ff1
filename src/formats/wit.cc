#include "formats/wit.h"

#include "formats/bridge_text.h"
#include "formats/wit_document.h"

namespace cordon::wit {
namespace {

using formats::BridgeText;
using formats::BytesOf;
using formats::CodeOf;

std::string RemedyFor(Code code) {
  switch (code) {
    case Code::kNotWasm:
      return "give a WebAssembly component or core module (.wasm), for example one built for wasm32-wasip2";
    case Code::kPrecompiled: return "give the .wasm file that it was compiled from";
    case Code::kCompile: return "build it again without that feature, or with a newer toolchain";
    case Code::kCompileLimit: return "make it smaller, or raise limits.functions in config.yaml";
    case Code::kSyntax: return "correct the WIT source, or remove the folder";
    default: return {};
  }
}

}  // namespace

Result<Contract> Describe(std::span<const std::uint8_t> wasm, const DescribeOptions& options) {
  BridgeText out, problem;
  std::string folder = options.wit_folder.string();
  auto status = cordon_formats_describe(wasm.data(), wasm.size(), options.max_functions, BytesOf(folder), folder.size(),
                                        out.out(), problem.out());
  if (status != CORDON_FORMATS_OK) {
    Code code = CodeOf(status);
    return Fail(code, std::string(problem.view()), RemedyFor(code));
  }
  CORDON_ASSIGN(Json document, json::Parse(out.view(), "contract", DocumentLimits()));
  try {
    return ContractOf(document);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& mismatch) {
    return Fail(Code::kInternal, std::string("the bridge and wit.cc disagree: ") + mismatch.what());
  }
}

}  // namespace cordon::wit
