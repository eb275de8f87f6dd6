/** `farwatch cln-plugin`: what lightningd starts; people never do. */
import { Command } from "commander";
import { PluginIo } from "../cln/json-rpc.js";
import { ClnPlugin } from "../cln/plugin.js";

const HELP = `
lightningd starts its plugins without arguments: name the program farwatch-cln-plugin, which is this command, as
plugin=/path/to/farwatch-cln-plugin in lightningd's config, or link to it from lightningd's plugins folder.`;

export const clnPluginCommand = (): Command =>
  new Command("cln-plugin")
    .description("a Core Lightning plugin that has monitors hold penalty transactions")
    .addHelpText("after", HELP)
    .exitOverride()
    .action(() => new ClnPlugin(new PluginIo(process.stdin, process.stdout)).run());
