/** `npm run generate`: writes the generated files of the checkout that it is run in. */
import { writeFileSync } from "node:fs";
import { generatedFiles } from "./generated";

for (const [file, content] of generatedFiles()) {
  writeFileSync(file, content);
  console.log(file);
}
