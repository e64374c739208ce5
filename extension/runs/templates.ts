/** Runs that can be started without a run file: an optimizer each, on the text of this workspace. */
import type { RunFile } from "../protocol/runFile";

export interface Template {
  id: string;
  title: string;
  detail: string;
  /** Its globs are relative to the workspace folder: launch with `file` = WORKSPACE/ID.muonscope.json. */
  content: RunFile;
}

/** Text as programmers and writers keep it; what is installed, built or fetched is not theirs. */
const data: RunFile["data"] = {
  files: ["**/*.{txt,md,rst,ts,tsx,js,mjs,py,c,cc,cpp,h,hpp,cu,rs,go,java,json}"],
  exclude: ["**/node_modules/**", "**/.*/**", "**/dist/**", "**/build/**", "**/package-lock.json"],
};

export const TEMPLATES: readonly Template[] = [
  {
    id: "normuon",
    title: "NorMuon",
    detail: "Orthogonalised momentum, normalised per neuron (the paper's recipe)",
    content: { name: "normuon", data, optimizer: { preset: "normuon" } },
  },
  {
    id: "muon",
    title: "Muon",
    detail: "Orthogonalised momentum",
    content: { name: "muon", data, optimizer: { preset: "muon" } },
  },
  {
    id: "adamw",
    title: "AdamW",
    detail: "The usual baseline",
    content: { name: "adamw", data, optimizer: { preset: "adamw" } },
  },
];
