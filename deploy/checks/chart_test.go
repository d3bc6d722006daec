package checks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	strict "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const chartFolder = "../chart"

// rendered holds the objects of a release; nil if the chart makes none of a kind.
type rendered struct {
	ConfigMap      *corev1.ConfigMap
	Service        *corev1.Service
	ServiceAccount *corev1.ServiceAccount
	Deployment     *appsv1.Deployment
	StatefulSet    *appsv1.StatefulSet
	Budget         *policyv1.PodDisruptionBudget
	Autoscaler     *autoscalingv2.HorizontalPodAutoscaler
	NetworkPolicy  *networkingv1.NetworkPolicy
	Ingress        *networkingv1.Ingress
	Route          *gatewayv1.HTTPRoute
	notes          string
}

// pod returns the Pod of the workload, and its selector.
func (r rendered) pod() (corev1.PodTemplateSpec, *metav1.LabelSelector) {
	if r.Deployment != nil {
		return r.Deployment.Spec.Template, r.Deployment.Spec.Selector
	}
	return r.StatefulSet.Spec.Template, r.StatefulSet.Spec.Selector
}

// values parses YAML values.
func values(t *testing.T, text string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// template renders the chart as helm template does, with the schema of its values.
func template(t *testing.T, set map[string]any) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	all, err := util.ToRenderValues(chart, set, common.ReleaseOptions{Name: "login", Namespace: "identity", Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

// render renders the chart and decodes every object strictly: an unknown field, or a wrong type,
// fails the test.
func render(t *testing.T, set map[string]any) rendered {
	t.Helper()
	files, err := template(t, set)
	if err != nil {
		t.Fatal(err)
	}
	var r rendered
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch {
		case strings.HasSuffix(name, "NOTES.txt"):
			r.notes = files[name]
		case strings.HasSuffix(name, ".yaml"):
			for document := range strings.SplitSeq(files[name], "\n---") {
				r.add(t, name, document)
			}
		}
	}
	if (r.Deployment == nil) == (r.StatefulSet == nil) {
		t.Fatal("the chart must make a Deployment or a StatefulSet")
	}
	r.check(t)
	return r
}

func (r *rendered) add(t *testing.T, name, document string) {
	t.Helper()
	if strings.TrimSpace(document) == "" {
		return
	}
	content, err := yaml.YAMLToJSONStrict([]byte(document))
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, document)
	}
	var head metav1.TypeMeta
	if err := json.Unmarshal(content, &head); err != nil {
		t.Fatal(err)
	}
	var into any
	switch head.APIVersion + "/" + head.Kind {
	case "v1/ConfigMap":
		r.ConfigMap = &corev1.ConfigMap{}
		into = r.ConfigMap
	case "v1/Service":
		r.Service = &corev1.Service{}
		into = r.Service
	case "v1/ServiceAccount":
		r.ServiceAccount = &corev1.ServiceAccount{}
		into = r.ServiceAccount
	case "apps/v1/Deployment":
		r.Deployment = &appsv1.Deployment{}
		into = r.Deployment
	case "apps/v1/StatefulSet":
		r.StatefulSet = &appsv1.StatefulSet{}
		into = r.StatefulSet
	case "policy/v1/PodDisruptionBudget":
		r.Budget = &policyv1.PodDisruptionBudget{}
		into = r.Budget
	case "autoscaling/v2/HorizontalPodAutoscaler":
		r.Autoscaler = &autoscalingv2.HorizontalPodAutoscaler{}
		into = r.Autoscaler
	case "networking.k8s.io/v1/NetworkPolicy":
		r.NetworkPolicy = &networkingv1.NetworkPolicy{}
		into = r.NetworkPolicy
	case "networking.k8s.io/v1/Ingress":
		r.Ingress = &networkingv1.Ingress{}
		into = r.Ingress
	case "gateway.networking.k8s.io/v1/HTTPRoute":
		r.Route = &gatewayv1.HTTPRoute{}
		into = r.Route
	default:
		t.Fatalf("%s: unknown object %s %s", name, head.APIVersion, head.Kind)
	}
	problems, err := strict.UnmarshalStrict(content, into)
	if err != nil || len(problems) > 0 {
		t.Fatalf("%s: %v %v\n%s", name, err, problems, document)
	}
}

// check checks what an API server would check, and the references between the objects.
func (r *rendered) check(t *testing.T) {
	t.Helper()
	pod, selector := r.pod()
	own, err := metav1.LabelSelectorAsMap(selector)
	if err != nil {
		t.Fatal(err)
	}
	matches := func(what string, labels map[string]string) {
		for name, value := range labels {
			if pod.Labels[name] != value {
				t.Errorf("%s selects %s=%s, the Pod has %v", what, name, value, pod.Labels)
			}
		}
		if len(labels) == 0 {
			t.Errorf("%s selects everything", what)
		}
	}
	matches("the workload", own)
	matches("the service", r.Service.Spec.Selector)
	if r.Budget != nil {
		matches("the budget", r.Budget.Spec.Selector.MatchLabels)
	}
	if r.NetworkPolicy != nil {
		matches("the network policy", r.NetworkPolicy.Spec.PodSelector.MatchLabels)
	}
	for _, spread := range pod.Spec.TopologySpreadConstraints {
		matches("the spread", spread.LabelSelector.MatchLabels)
	}
	for _, labels := range []map[string]string{pod.Labels, r.Service.Labels, r.ConfigMap.Labels} {
		for name, value := range labels {
			if wrong := append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
				t.Errorf("label %s=%s: %v", name, value, wrong)
			}
		}
	}
	for _, name := range []string{r.Service.Name, r.ConfigMap.Name, pod.Spec.ServiceAccountName} {
		if wrong := validation.IsDNS1035Label(name); len(wrong) > 0 {
			t.Errorf("the name %s: %v", name, wrong)
		}
	}
	r.checkPod(t, pod)
	if r.Autoscaler != nil && (r.Deployment == nil || r.Autoscaler.Spec.ScaleTargetRef.Name != r.Deployment.Name || r.Deployment.Spec.Replicas != nil) {
		t.Error("the autoscaler must scale the Deployment, which must not have a number of replicas")
	}
	if r.Ingress != nil {
		for _, at := range r.Ingress.Spec.Rules[0].HTTP.Paths {
			if at.Backend.Service.Name != r.Service.Name || at.Backend.Service.Port.Name != r.Service.Spec.Ports[0].Name || *at.PathType != networkingv1.PathTypePrefix {
				t.Errorf("the ingress sends %s to %v", at.Path, at.Backend)
			}
		}
	}
	if r.Route != nil && int32(*r.Route.Spec.Rules[0].BackendRefs[0].Port) != r.Service.Spec.Ports[0].Port {
		t.Error("the route leads to another port than the service has")
	}
}

func (r *rendered) checkPod(t *testing.T, pod corev1.PodTemplateSpec) {
	t.Helper()
	spec := pod.Spec
	container := spec.Containers[0]
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		if wrong := validation.IsDNS1123Label(v.Name); len(wrong) > 0 || volumes[v.Name] {
			t.Errorf("the volume %s: %v", v.Name, wrong)
		}
		volumes[v.Name] = true
		if v.ConfigMap != nil && v.ConfigMap.Name != r.ConfigMap.Name {
			t.Errorf("the volume %s mounts %s", v.Name, v.ConfigMap.Name)
		}
	}
	if r.StatefulSet != nil {
		for _, claim := range r.StatefulSet.Spec.VolumeClaimTemplates {
			volumes[claim.Name] = true
		}
	}
	at := map[string]bool{}
	for _, m := range container.VolumeMounts {
		if !volumes[m.Name] || at[m.MountPath] {
			t.Errorf("%s is mounted twice, or its volume %s does not exist", m.MountPath, m.Name)
		}
		at[m.MountPath] = true
	}
	names := map[string]bool{}
	for _, e := range container.Env {
		if names[e.Name] {
			t.Errorf("the variable %s is set twice", e.Name)
		}
		names[e.Name] = true
	}
	for what, p := range map[string]*corev1.Probe{"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Port.String() != container.Ports[0].Name || p.HTTPGet.Host != "" {
			t.Errorf("the %s probe is %v", what, p)
		}
	}
	// The restricted profile of the Pod Security Standards.
	security, inPod := container.SecurityContext, spec.SecurityContext
	if inPod == nil || security == nil || !*inPod.RunAsNonRoot || *inPod.RunAsUser == 0 || inPod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
		*security.AllowPrivilegeEscalation || !*security.ReadOnlyRootFilesystem || !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) || security.Privileged != nil {
		t.Errorf("the Pod has more rights than the restricted profile: %v %v", inPod, security)
	}
	if *spec.AutomountServiceAccountToken || *spec.EnableServiceLinks || spec.HostNetwork || spec.HostPID {
		t.Error("the Pod has a token, service links or a name space of the host")
	}
	// After SIGTERM, Signet gives open requests 10 seconds.
	grace, before := *spec.TerminationGracePeriodSeconds, int64(0)
	if container.Lifecycle != nil {
		before = container.Lifecycle.PreStop.Sleep.Seconds
	}
	if grace < before+15 {
		t.Errorf("the Pod is killed %d seconds after its end begins, of which %d are before SIGTERM", grace, before)
	}
	if container.Resources.Requests.Memory().Cmp(resource.MustParse("64Mi")) < 0 || container.Resources.Requests.Cpu().IsZero() {
		t.Errorf("the container requests %v", container.Resources.Requests)
	}
}

const (
	minimal  = "settings: {issuer: https://id.example.com}\n"
	postgres = minimal + "secrets:\n  database: {name: db, key: url}\n  master_key: {name: key, key: master-key}\n"
)

func TestChart_RendersWithSQLite(t *testing.T) {
	r := render(t, values(t, minimal))
	set := r.StatefulSet
	if set == nil || *set.Spec.Replicas != 1 || set.Spec.ServiceName != r.Service.Name || len(set.Spec.VolumeClaimTemplates) != 1 || r.Budget != nil {
		t.Fatalf("got %+v", r)
	}
	if kept := set.Spec.PersistentVolumeClaimRetentionPolicy; kept.WhenDeleted != appsv1.RetainPersistentVolumeClaimRetentionPolicyType {
		t.Errorf("the volume is deleted with the release: %v", kept)
	}
	if !strings.Contains(r.notes, "kubectl exec --namespace identity statefulset/login-signet -- signet setup-link") || !strings.Contains(r.notes, "master key is the file") {
		t.Errorf("the notes:\n%s", r.notes)
	}
	r = render(t, values(t, minimal+"persistence: {existingClaim: old}\n"))
	if len(r.StatefulSet.Spec.VolumeClaimTemplates) != 0 {
		t.Error("a claim is created although one is named")
	}
}

func TestChart_RendersWithPostgreSQL(t *testing.T) {
	r := render(t, values(t, postgres))
	if r.Deployment == nil || *r.Deployment.Spec.Replicas != 2 || r.Budget == nil || r.Deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Fatalf("got %+v", r)
	}
	if !strings.Contains(r.notes, "deployment/login-signet") || strings.Contains(r.notes, "master key is the file") {
		t.Errorf("the notes:\n%s", r.notes)
	}
	if r := render(t, values(t, postgres+"replicas: 0\n")); *r.Deployment.Spec.Replicas != 0 {
		t.Error("replicas: 0 is not obeyed")
	}
	if r := render(t, values(t, postgres+"autoscaling: {enabled: true}\n")); r.Autoscaler == nil {
		t.Error("there is no autoscaler")
	}
	if r := render(t, values(t, postgres+"networkPolicy: {enabled: true, from: [{namespaceSelector: {}}], egress: [{to: []}]}\n")); len(r.NetworkPolicy.Spec.PolicyTypes) != 2 {
		t.Error("the network policy has no egress")
	}
}

// All optional values at once, with text that a template could break.
func TestChart_RendersEveryValue(t *testing.T) {
	r := render(t, values(t, `
settings:
  issuer: https://id.example.com:8443/auth
  rate_limits: {account: 1000000}
  connectors:
    - {id: okta, type: oidc, name: "Example: #1 \"Inc.\" {{ x }}", client_id: 4711, issuer: https://okta.example.com}
secrets:
  database: {name: db, key: url}
  master_key: {name: key, key: master-key}
  master_key_next: {name: key, key: next}
  outbound.proxy: {name: proxy, key: url}
  google.client_secret: {name: google, key: client-secret}
connectorSecrets:
  okta: {client_secret: {name: okta, key: client-secret}, client_key: {name: okta, key: key.pem}}
image: {repository: registry.example.com:5000/signet, digest: "sha256:`+strings.Repeat("0f", 32)+`", pullPolicy: Always}
imagePullSecrets: [{name: pull}]
replicas: 5
persistence: {size: 10Gi, storageClass: "", accessModes: [ReadWriteOncePod], annotations: {a: b}}
tls: {existingSecret: tls}
service: {type: LoadBalancer, port: 443, annotations: {a: "true"}, labels: {b: c}}
ingress: {enabled: true, className: nginx, annotations: {a: "1"}, tlsSecret: web}
httpRoute: {enabled: true, parentRefs: [{name: public, namespace: gateways}]}
podDisruptionBudget: {maxUnavailable: 25%}
serviceAccount: {existing: mine}
startupSeconds: 60
preStopSeconds: 0
extraEnv: [{name: TZ, value: Europe/Vienna}, {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
podAnnotations: {c: d}
podLabels: {e: f}
nodeSelector: {kubernetes.io/arch: amd64}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
priorityClassName: high
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app.kubernetes.io/instance: login}}}]
fullnameOverride: a-name-that-is-much-longer-than-any-name-of-a-service-may-be
`))
	pod, _ := r.pod()
	container := pod.Spec.Containers[0]
	if want := "registry.example.com:5000/signet@sha256:" + strings.Repeat("0f", 32); container.Image != want {
		t.Errorf("the image is %s, want %s", container.Image, want)
	}
	if p := container.LivenessProbe.HTTPGet; p.Path != "/auth/healthz" || p.Scheme != corev1.URISchemeHTTPS {
		t.Errorf("the liveness probe is %v", p)
	}
	if p := container.ReadinessProbe.HTTPGet; p.Path != "/auth/readyz" {
		t.Errorf("the readiness probe is %v", p)
	}
	env := map[string]string{}
	for _, e := range container.Env {
		env[e.Name] = e.Value
	}
	for name, want := range map[string]string{
		"SIGNET_DATABASE_FILE": "/run/secrets/signet/settings/database", "SIGNET_OUTBOUND_PROXY_FILE": "/run/secrets/signet/settings/outbound.proxy",
		"SIGNET_GOOGLE_CLIENT_SECRET_FILE": "/run/secrets/signet/settings/google.client_secret", "SIGNET_MASTER_KEY_NEXT_FILE": "/run/secrets/signet/settings/master_key_next",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if _, ok := env["SIGNET_DATA_DIR"]; ok {
		t.Error("with PostgreSQL there is a data directory")
	}
	if r.Ingress.Spec.Rules[0].Host != "id.example.com" || r.Ingress.Spec.TLS[0].Hosts[0] != "id.example.com" || string(r.Route.Spec.Hostnames[0]) != "id.example.com" {
		t.Error("the ingress and the route have another host than the issuer")
	}
	file := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(r.ConfigMap.Data["signet.yaml"]), &file); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(file)
	for _, want := range []string{"account:1e+06", "client_secret_file:/run/secrets/signet/connectors/okta/client_secret", "client_key_file:/run/secrets/signet/connectors/okta/client_key", `Example: #1 "Inc." {{ x }}`, "cert:/run/secrets/signet/tls/tls.crt"} {
		if !strings.Contains(text, want) {
			t.Errorf("signet.yaml has no %s:\n%s", want, r.ConfigMap.Data["signet.yaml"])
		}
	}
	if !strings.Contains(r.ConfigMap.Data["signet.yaml"], "account: 1000000") {
		t.Errorf("a large number is not written as one:\n%s", r.ConfigMap.Data["signet.yaml"])
	}
}

// The ingress and the route lead to every path that Signet answers outside the path of the issuer,
// except for the icon of the host, which belongs to its main site.
func TestChart_SendsThePathsOfTheIssuer(t *testing.T) {
	page, err := os.ReadFile("../../docs/routes.md")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/auth"}
	for _, found := range regexp.MustCompile("`host:([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		path := strings.ReplaceAll(found[1], "{path of the issuer}", "/auth")
		if path != "/favicon.ico" && path != "/" && !slices.Contains(want, path) && !strings.HasPrefix(path, "/auth/") {
			want = append(want, path)
		}
	}
	const both = "ingress: {enabled: true}\nhttpRoute: {enabled: true, parentRefs: [{name: a}]}\n"
	r := render(t, values(t, "settings: {issuer: https://id.example.com/auth}\n"+both))
	var got, routed []string
	for _, at := range r.Ingress.Spec.Rules[0].HTTP.Paths {
		got = append(got, at.Path)
	}
	for _, match := range r.Route.Spec.Rules[0].Matches {
		routed = append(routed, *match.Path.Value)
	}
	slices.Sort(want)
	slices.Sort(got)
	slices.Sort(routed)
	if !slices.Equal(got, want) || !slices.Equal(routed, want) {
		t.Errorf("the ingress has %v, the route %v, want %v", got, routed, want)
	}
	r = render(t, values(t, minimal+both))
	if got := r.Ingress.Spec.Rules[0].HTTP.Paths; len(got) != 1 || got[0].Path != "/" {
		t.Errorf("without a path: %v", got)
	}
}

// A change of a setting that a running server follows restarts no Pod; every other does.
func TestChart_RestartsOnlyIfASettingNeedsIt(t *testing.T) {
	sum := func(more string) string {
		pod, _ := render(t, values(t, "settings:\n  issuer: https://id.example.com\n"+more)).pod()
		return pod.Annotations["checksum/settings"]
	}
	before := sum("")
	if before == "" {
		t.Fatal("the Pod has no checksum")
	}
	for _, live := range []string{
		"  signup: closed\n", "  trusted_proxies: 10.0.0.0/8\n", "  connectors: [{id: a, type: oidc, client_id: a, issuer: https://a.example.com}]\n",
	} {
		if sum(live) != before {
			t.Errorf("Pods restart after a change of%s", live)
		}
	}
	if sum("  log: {level: debug}\n") != before || sum("  first_party: {client_id: a, origins: https://a.example.com}\n") != sum("  first_party: {client_id: a}\n") {
		t.Error("Pods restart after a change of a live setting in a section")
	}
	for _, other := range []string{"  lifetimes: {access: 5m}\n", "  cookie_name: mine\n", "  first_party: {client_id: a}\n"} {
		if sum(other) == before {
			t.Errorf("Pods do not restart after a change of%s", other)
		}
	}
}

// Each wrong value is refused before anything is installed, with a message that names it.
func TestChart_RefusesWrongValues(t *testing.T) {
	for set, want := range map[string]string{
		"":                                     "settings.issuer is missing",
		"settings: {issuer: id.example.com}\n": "/settings/issuer",
		"settings: {issuer: https://id.example.com/}\n":                                                     "/settings/issuer",
		"settings: {isuer: https://id.example.com}\n":                                                       "isuer",
		minimal + "setings: {}\n":                                                                           "setings",
		"settings: {issuer: https://id.example.com, lifetimes: {access: soon}}\n":                           "/settings/lifetimes/access",
		"settings: {issuer: https://id.example.com, lifetimes: {acess: 5m}}\n":                              "acess",
		"settings: {issuer: https://id.example.com, log: {level: loud}}\n":                                  "/settings/log/level",
		"settings: {issuer: https://id.example.com, listen: ':80'}\n":                                       "settings.listen is set by the chart",
		"settings: {issuer: https://id.example.com, data_dir: /x}\n":                                        "settings.data_dir is set by the chart",
		"settings: {issuer: https://id.example.com, database: 'postgres://a:b@c/d'}\n":                      "settings.database is a secret",
		"settings: {issuer: https://id.example.com, master_key: abc}\n":                                     "settings.master_key is a secret",
		"settings: {issuer: https://id.example.com, outbound: {proxy: 'http://p'}}\n":                       "settings.outbound.proxy is a secret",
		"settings: {issuer: https://id.example.com, keys: {pkcs11: {pin: '1234'}}}\n":                       "settings.keys.pkcs11.pin is a secret",
		"settings: {issuer: https://id.example.com, tls: {key: /a}}\ntls: {existingSecret: b}\n":            "tls.existingSecret sets",
		"settings: {issuer: https://id.example.com, connectors: [{id: a, type: oidc, client_secret: b}]}\n": "connectorSecrets.a.client_secret",
		"settings: {issuer: https://id.example.com, connectors: [{id: a, type: gogle}]}\n":                  "/settings/connectors/0/type",
		minimal + "connectorSecrets: {a: {client_secret: {name: b, key: c}}}\n":                             "no connector with the id a",
		minimal + "connectorSecrets: {a: {secret: {name: b, key: c}}}\n":                                    "secret",
		minimal + "secrets: {database: {name: db, key: url}}\n":                                             "secrets.master_key is missing",
		minimal + "secrets: {databse: {name: db, key: url}}\n":                                              "databse",
		minimal + "secrets: {database: {name: db}}\n":                                                       "/secrets/database",
		minimal + "secrets: {database: postgres://x}\n":                                                     "/secrets/database",
		minimal + "secrets: {master_key_next: {name: a, key: b}}\n":                                         "secrets.master_key_next needs secrets.master_key",
		minimal + "replicas: 2\n":                                                                           "replicas is 2, but SQLite allows one replica",
		minimal + "replicas: two\n":                                                                         "/replicas",
		minimal + "replicas: -1\n":                                                                          "/replicas",
		minimal + "autoscaling: {enabled: true}\n":                                                          "autoscaling needs PostgreSQL",
		minimal + "persistence: {accessModes: [ReadWriteMany]}\n":                                           "/persistence/accessModes",
		minimal + "persistence: {size: big}\n":                                                              "/persistence/size",
		minimal + "image: {digest: latest}\n":                                                               "/image/digest",
		minimal + "image: {repository: ''}\n":                                                               "/image/repository",
		minimal + "service: {port: 0}\n":                                                                    "/service/port",
		minimal + "service: {port: http}\n":                                                                 "/service/port",
		minimal + "httpRoute: {enabled: true}\n":                                                            "httpRoute.parentRefs is empty",
		minimal + "podAnnotations: {a: true}\n":                                                             "/podAnnotations/a",
		minimal + "preStopSeconds: -1\n":                                                                    "/preStopSeconds",
	} {
		if _, err := template(t, values(t, set)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", set, err, want)
		}
	}
}

// The chart holds no Secret, and every Secret is mounted, not passed in a variable.
func TestChart_HoldsNoSecret(t *testing.T) {
	files, err := template(t, values(t, postgres))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if strings.Contains(text, "kind: Secret") || strings.Contains(text, "secretKeyRef") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

func TestChart_PassesHelmLint(t *testing.T) {
	for _, set := range []string{"", minimal, postgres} {
		for _, message := range lint.RunAll(chartFolder, values(t, set), "identity").Messages {
			if message.Severity >= support.WarningSev {
				t.Errorf("%s: %s", strings.TrimSpace(set), message)
			}
		}
	}
}

// settingsOfSchema returns a value for each setting of the schema that signet prints: its example.
func settingsOfSchema(t *testing.T) map[string]any {
	t.Helper()
	var out bytes.Buffer
	schema := signet(t, nil, "config", "schema")
	schema.Stdout = &out
	if err := schema.Run(); err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(out.Bytes(), &root); err != nil {
		t.Fatal(err)
	}
	return examplesOf(root["properties"].(map[string]any))
}

func examplesOf(properties map[string]any) map[string]any {
	set := map[string]any{}
	for name, value := range properties {
		described := value.(map[string]any)
		if below, ok := described["properties"].(map[string]any); ok {
			set[name] = examplesOf(below)
		} else if examples, ok := described["examples"].([]any); ok {
			set[name] = examples[0]
		}
	}
	return set
}

// signet.yaml in the ConfigMap holds every setting with its value.
func TestChart_PassesEverySetting(t *testing.T) {
	set := settingsOfSchema(t)
	for _, byChart := range []string{"listen", "data_dir"} {
		delete(set, byChart)
	}
	if len(set) < 10 {
		t.Fatalf("only %d settings: %v", len(set), set)
	}
	r := render(t, map[string]any{"settings": set})
	file := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(r.ConfigMap.Data["signet.yaml"]), &file); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(file)
	want, _ := json.Marshal(set)
	if string(got) != string(want) {
		t.Errorf("signet.yaml holds\n%s\nwant\n%s", got, want)
	}
}
