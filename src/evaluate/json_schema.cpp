#define VALIJSON_USE_EXCEPTIONS 1 // else it ends the process
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <exception>
#include <memory>

#include "base/fail.h"
#include "evaluate/instruction_arguments.h"
#include "evaluate/instruction_checks.h"

namespace valuelens {

using json = nlohmann::json;

InstructionCheck json_schema_check(const json & arguments) {
    const json & given = instruction_argument(arguments, "schema");
    if (!given.is_object()) {
        fail(ErrorKind::bad_input, "the argument \"schema\" is {}, expected a JSON Schema (an object)", given.dump());
    }
    auto schema = std::make_shared<valijson::Schema>();
    try {
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        const valijson::adapters::NlohmannJsonAdapter adapter(given);
        parser.populateSchema(adapter, *schema);
    } catch (const std::exception & error) {
        fail(ErrorKind::bad_input, "the argument \"schema\" is no JSON Schema ({})", error.what());
    }
    return [schema](const std::string & response) {
        const json document = json::parse(response, nullptr, /* allow_exceptions = */ false);
        if (document.is_discarded()) {
            return false;
        }
        // Strong types: "3" is no number.
        valijson::Validator validator(valijson::Validator::kStrongTypes);
        const valijson::adapters::NlohmannJsonAdapter target(document);
        return validator.validate(*schema, target, nullptr);
    };
}

} // namespace valuelens
