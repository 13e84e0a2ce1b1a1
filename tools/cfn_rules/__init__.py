"""Rules of this project for cfn-lint: ``cfn-lint --append-rules tools/cfn_rules``."""
