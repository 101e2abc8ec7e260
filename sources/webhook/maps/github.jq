# GitHub (also Gitea and Forgejo): what people do in a repository, as cards.
#
#   push           commits on a branch, or a tag
#   pull-request   opened, ready for review, merged, closed, reopened; one card each
#   review         approved, or changes requested
#   issue          opened, closed, reopened; one card each
#   comment        on an issue, a pull request or a discussion
#   discussion     begun
#   release        published
#   star, fork     with how many there are now
#   build          a workflow that has ended; one card each
#
# Anything else makes no event. In the webhook's settings choose which events
# GitHub sends. What it sends of a private repository is on the wall, too.

def line: split("\n")[0] | rtrimstr("\r");
def short: if length > 400 then .[:400] + "…" else . end;
def known: with_entries(select(.value != null and .value != ""));
def person: {name: .login, url: .html_url, image: .avatar_url} | known;
def card(kind; key; data): {kind: kind, key: key, data: (data | known)} | known;

(.repository.full_name // .organization.login // "") as $repo
| (.sender // {} | person) as $author
| "\(.repository.id // 0)" as $id
| (.action // "") as $action
| $about["x-github-event"] as $event

| if $event == "push" then
    (.ref // "" | sub("^refs/(heads|tags)/"; "")) as $name
    | (.commits // []) as $commits
    | if .deleted then empty
      elif (.ref // "" | startswith("refs/tags/")) then
        card("push"; null; {title: "Tag \($name) in \($repo)", url: "\(.repository.html_url)/releases/tag/\($name)",
          text: (.head_commit.message // "" | line | short), author: $author})
      elif $commits == [] then empty
      else
        card("push"; null; {
          title: (if ($commits | length) == 1 then "1 commit" else "\($commits | length) commits" end + " to \($repo), \($name)"),
          text: ($commits[:5] | map(.message | line | short) | join("\n")),
          url: (if ($commits | length) == 1 then $commits[0].url else .compare end),
          author: $author})
      end

  elif $event == "pull_request" then
    (if $action == "closed" and .pull_request.merged then "merged" elif $action == "ready_for_review" then "ready for review" else $action end) as $did
    | if ["opened", "closed", "reopened", "merged", "ready for review"] | index([$did]) then
        card("pull-request"; "\($id)-\(.pull_request.number)"; {
          title: "\($repo)#\(.pull_request.number) \($did)", text: .pull_request.title,
          url: .pull_request.html_url, author: $author, state: $did})
      else empty end

  elif $event == "pull_request_review" and $action == "submitted" then
    ({approved: "approved", changes_requested: "asks for changes in"}[.review.state | ascii_downcase]) as $did
    | if $did then
        card("review"; null; {title: "\($author.name) \($did) \($repo)#\(.pull_request.number)",
          text: (if (.review.body // "") == "" then .pull_request.title else .review.body | short end),
          url: .review.html_url, author: $author})
      else empty end

  elif $event == "issues" then
    if ["opened", "closed", "reopened"] | index([$action]) then
      card("issue"; "\($id)-\(.issue.number)"; {
        title: "\($repo)#\(.issue.number) \($action)", text: .issue.title,
        url: .issue.html_url, author: $author, state: $action})
    else empty end

  elif ($event == "issue_comment" or $event == "discussion_comment" or $event == "pull_request_review_comment") and $action == "created" then
    (.issue // .discussion // .pull_request) as $of
    | card("comment"; null; {title: "\($repo)#\($of.number): \($of.title)", text: (.comment.body | short),
        url: .comment.html_url, author: $author})

  elif $event == "discussion" and $action == "created" then
    card("discussion"; null; {title: "\($repo)#\(.discussion.number)", text: .discussion.title,
      url: .discussion.html_url, author: $author})

  elif $event == "release" and $action == "published" then
    card("release"; null; {title: "\($repo) \(.release.tag_name)",
      text: (if (.release.name // "") == "" then .release.tag_name else .release.name end),
      url: .release.html_url, author: $author, prerelease: .release.prerelease})

  elif $event == "star" and $action == "created" then
    card("star"; null; {text: "\($author.name) starred \($repo)", url: .repository.html_url, author: $author,
      stars: .repository.stargazers_count})

  elif $event == "fork" then
    card("fork"; null; {text: "\($author.name) forked \($repo)", url: .forkee.html_url, author: $author,
      forks: .repository.forks_count})

  elif $event == "workflow_run" and $action == "completed" then
    card("build"; "\($id)-\(.workflow_run.id)"; {
      title: "\(.workflow_run.name): \(.workflow_run.conclusion)",
      text: "\($repo), \(.workflow_run.head_branch): \(.workflow_run.display_title // .workflow_run.head_commit.message // "" | line | short)",
      url: .workflow_run.html_url, author: (.workflow_run.actor // .sender | person), state: .workflow_run.conclusion})

  else empty end
