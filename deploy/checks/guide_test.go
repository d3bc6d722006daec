package checks_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guideBlock is a code block of docs/kubernetes.md.
type guideBlock struct{ language, text string }

func guideBlocks(t *testing.T) []guideBlock {
	t.Helper()
	page, err := os.ReadFile("../../docs/kubernetes.md")
	must(t, err)
	var blocks []guideBlock
	for _, found := range regexp.MustCompile("(?ms)^<!-- run: Kubernetes -->\n```([a-z]+)\n(.*?)^```").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, guideBlock{found[1], found[2]})
	}
	if len(blocks) < 6 {
		t.Fatalf("the page has %d blocks", len(blocks))
	}
	return blocks
}

// TestKubernetes_Guide follows docs/kubernetes.md as far as it goes without a cluster: the values are
// rendered; each Secret that they name is created by a command of the page from a file that an
// earlier command has written; each command in a Pod names a workload of the release and runs in the
// Pod of the last values.
func TestKubernetes_Guide(t *testing.T) {
	files := t.TempDir()
	made := map[string]map[string]string{}
	var release rendered
	for _, block := range guideBlocks(t) {
		switch block.language {
		case "yaml":
			release = renderGuide(t, block.text)
			if strings.Contains(block.text, "master_key:") {
				release.checkSecrets(t, made)
			}
		case "console":
			for line := range strings.Lines(block.text) {
				command := strings.TrimPrefix(strings.TrimSpace(line), "$ ")
				follow(t, command, files, made, release)
			}
		default:
			t.Errorf("nothing checks a block in %s", block.language)
		}
	}
}

// renderGuide renders values of the page in the release signet of the page.
func renderGuide(t *testing.T, text string) rendered {
	t.Helper()
	set := values(t, text)
	set["fullnameOverride"] = "signet" // as in the release signet
	return render(t, set)
}

// checkSecrets checks that every Secret of the Pod has been created with its key.
func (r rendered) checkSecrets(t *testing.T, made map[string]map[string]string) {
	t.Helper()
	pod, _ := r.pod()
	for _, volume := range pod.Spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			for _, item := range source.Secret.Items {
				if made[source.Secret.Name][item.Key] == "" {
					t.Errorf("the page creates no Secret %s with the key %s", source.Secret.Name, item.Key)
				}
			}
		}
	}
}

var (
	createSecret = regexp.MustCompile(`^kubectl create secret generic ([a-z-]+) --namespace identity --from-file=([a-z-]+)$`)
	inPod        = regexp.MustCompile(`^kubectl exec --namespace identity (deployment|statefulset)/([a-z-]+) -- signet ([a-z -]+?)(?: > [a-z.-]+)?$`)
)

func follow(t *testing.T, command, files string, made map[string]map[string]string, r rendered) {
	t.Helper()
	switch secret, pod := createSecret.FindStringSubmatch(command), inPod.FindStringSubmatch(command); {
	case secret != nil:
		content, err := os.ReadFile(filepath.Join(files, secret[2]))
		must(t, err)
		made[secret[1]] = map[string]string{secret[2]: string(content)}
	case pod != nil:
		workload := "statefulset"
		if r.Deployment != nil {
			workload = "deployment"
		}
		if pod[1] != workload || pod[2] != r.Service.Name {
			t.Errorf("%s: the chart makes %s/%s", command, workload, r.Service.Name)
		}
		if help := signet(t, nil, append(slices.DeleteFunc(strings.Fields(pod[3]), func(word string) bool { return word == "-" }), "--help")...); help.Run() != nil {
			t.Errorf("%s: there is no such command", command)
		}
	case strings.HasPrefix(command, "helm upgrade --install signet deploy/chart --namespace identity --values values.yaml"), command == "kubectl create namespace identity":
		// a cluster would be needed
	case strings.HasPrefix(command, "kubectl"), strings.HasPrefix(command, "helm"):
		t.Errorf("nothing checks %s", command)
	default:
		run := exec.CommandContext(t.Context(), "bash", "-c", command)
		run.Dir = files
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", command, err, out)
		}
	}
}
