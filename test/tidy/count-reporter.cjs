// mocha's spec reporter, which also leaves its counts where run-all.mjs finds them.
const fs = require("node:fs");
const { reporters, Runner } = require("mocha");

module.exports = class CountReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const file = process.env.FARWATCH_TEST_STATS;
      const { passes, failures } = runner.stats;
      if (file !== undefined) fs.writeFileSync(file, JSON.stringify({ passes, failures }));
    });
  }
};
