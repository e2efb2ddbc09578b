# Runs the jobs of a pipeline in containers, as a person does before they push.
# What takes files out of a container, artifacts and caches, needs an image with bash.
git config --global user.name someone
git config --global user.email someone@example.com
git config --global init.defaultBranch main
mkdir project
cd project
git init --quiet
git remote add origin git@gitlab.example.com:group/project.git
cat >.gitlab-ci.yml <<'YAML'
stages: [build, test]
image: busybox
variables: {WORD: hello}
build:
  stage: build
  before_script:
    - mkdir out
  script:
    - echo "$WORD" >out/word
    - grep hello out/word
test:
  stage: test
  needs: [build]
  script:
    - grep hello file
  after_script:
    - echo after
fails:
  stage: test
  allow_failure: true
  script:
    - exit 3
YAML
echo hello >file
git add .
git commit --quiet --message first
git update-ref refs/remotes/origin/main HEAD
git remote set-head origin main
run() { gitlab-ci-local --pull-policy if-not-present --helper-image busybox:latest "$@"; }
run --list
run
run --needs test
